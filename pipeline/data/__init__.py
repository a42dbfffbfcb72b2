"""The data set: sources, samples, checks of rows and pictures."""
