"""Early fusion: the blocks of a sample side by side."""
