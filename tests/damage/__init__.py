"""Faults from outside: runs are killed, files harmed, disks full. `python -m tests.damage`."""
