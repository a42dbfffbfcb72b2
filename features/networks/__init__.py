"""Networks of torch: building, loading, folding, inference."""
