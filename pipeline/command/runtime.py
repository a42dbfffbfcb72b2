"""The option by which a bundle is asked by ONNX Runtime."""

from __future__ import annotations

import argparse

from pipeline.program.names import called


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Add --onnx: `runtime` is then "onnx", else "python" (see pipeline.use.bundle.Bundle.load)."""
    parser.add_argument(
        "--onnx", dest="runtime", action="store_const", const="onnx", default="python",
        help=f"ask what {called('bundle')} --onnx exported, without PyTorch: it starts in a "
        "second",
    )
