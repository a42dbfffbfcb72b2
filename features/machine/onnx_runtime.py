"""Files of ONNX, asked by ONNX Runtime on this machine's cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.machine.cores import cores

PACKAGES = ("onnxruntime", "tokenizers")  # what exported texts and classifiers need
ERRORS_ALONE = 3


def session_of(file: Path) -> Any:
    """A session of ONNX Runtime.

    Its threads wait without turning round and round: these would take as much of a processor that
    others share as the work itself.

    Raises
    ------
    ValueError
        Where the file is none that can be asked.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    # Its exceptions have no class in common but Exception.
    except Exception as error:
        raise ValueError(f"its file {file.name} cannot be read: {error}") from error
