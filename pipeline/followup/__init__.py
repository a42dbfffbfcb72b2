"""What the best cells are asked after the comparison."""
