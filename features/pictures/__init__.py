"""Pictures: decoding, preparing, augmenting."""
