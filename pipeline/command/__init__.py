"""What all commands share: their options, their names, and how they end."""
