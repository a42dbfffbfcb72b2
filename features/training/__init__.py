"""The one training loop, and what it needs to know of rows, devices and losses."""
