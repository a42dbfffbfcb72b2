"""A report as a PDF: `python -m pipeline.pdf RUN`."""
