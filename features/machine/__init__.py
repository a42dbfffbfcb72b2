"""The machine: its cores, what it computes precisely, what files hold."""
