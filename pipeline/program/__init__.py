"""The program: its commands, and what messages call them. It imports nothing of ours."""
