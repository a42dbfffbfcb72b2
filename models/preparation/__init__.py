"""What blocks go through before a classifier: scaling, principal components."""
