"""Pictures through a pretrained network: features read off inside it, fast."""
