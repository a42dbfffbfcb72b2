"""Late fusion: what single-modality models predict, combined."""
