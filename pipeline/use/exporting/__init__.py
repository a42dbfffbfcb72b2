"""The classifier part of a cell as ONNX: features in, probabilities out."""
