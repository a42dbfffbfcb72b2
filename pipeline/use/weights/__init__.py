"""Weights of pretrained encoders that a bundle takes along."""
