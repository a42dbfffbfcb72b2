"""The classifier part of a cell as a file of ONNX, checked against the cell itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import modality_of
from features.machine.extras import EXTRAS, lacking, not_installed
from models import CLASSIFIERS, FUSIONS
from models.late.late import Late
from models.views import Views
from pipeline.config.cells import Cell, build_encoder
from pipeline.use.exporting.inputs import OUTPUT, Input, arrays, inputs_of
from pipeline.use.fitted import FittedCell
from pipeline.use.problem import BundleError

FILE = "classifier.onnx"
LARGEST = 1e-4  # difference of a probability that is put down to rounding
AT_ONCE = 512  # samples that are compared together
# Why fusions cannot be exported, where there is more to say than that nobody wrote it down.
REFUSED = {
    "majority": "it looks at no features",
    "end_to_end": "it trains its encoders, so that no part of it takes features",
}


@dataclass(frozen=True, eq=False)
class Exported:
    """A classifier as ONNX.

    Parameters
    ----------
    content : of the file.
    facts : what it takes and gives, and how far it is from the cell; as JSON.
    """

    content: bytes
    facts: dict[str, Any]


def check_exportable(cell: Cell) -> None:
    """Raise BundleError, before anything is fitted, where a cell cannot be exported."""
    missing = not_installed(EXTRAS["onnx"])
    if missing:
        raise BundleError(lacking("--onnx", missing))
    reasons = list(dict.fromkeys(_reasons(cell)))
    if not reasons:
        return
    fusions, classifiers = exportable()
    raise BundleError(
        f"--onnx: {cell.name} cannot be exported: {'; '.join(reasons)}. What can be: the fusions "
        f"{', '.join(fusions)}, with the classifiers {', '.join(classifiers)}"
    )


def exportable() -> tuple[list[str], list[str]]:
    """Names of the fusions and of the classifiers that can be exported."""
    from pipeline.use.exporting import classifiers, fusions

    return (
        [name for name, cls in FUSIONS.items() if cls in fusions.NETWORKS or cls is Late],
        [name for name, cls in CLASSIFIERS.items() if cls in classifiers.NETWORKS],
    )


def _reasons(cell: Cell) -> Iterator[str]:
    fusions, classifiers = exportable()
    for part in (cell, *cell.parts):
        if part.fusion.name not in fusions:
            reason = REFUSED.get(part.fusion.name, "it is not written down for ONNX")
            yield f"the fusion {part.fusion.name} ({reason})"
        if part.classifier is not None and part.classifier.name not in classifiers:
            yield f"the classifier {part.classifier.name} (it is not written down for ONNX)"
        for name, (encoder, form) in part.encoders().items():
            if build_encoder(modality_of(name), encoder, form, 0).averaged:
                yield (
                    f"the encoder {encoder.label} (its predictions are averaged over changed "
                    "copies of a picture)"
                )


def exported(cell: FittedCell, views: Sequence[Views]) -> Exported:
    """A fitted cell as ONNX.

    Parameters
    ----------
    views : of each of its models, features of the same n samples: the result is compared with the
        cell on all of these.

    Raises
    ------
    BundleError
        Where its probabilities are not the cell's.
    """
    from pipeline.use.exporting.writing import OPSET

    inputs = inputs_of(views)
    content = _written(cell, inputs)
    difference = _largest_difference(content, cell, inputs, views)
    if not difference <= LARGEST:
        raise BundleError(
            f"--onnx: the exported classifier's probabilities differ by {difference:.2g} from the "
            f"bundle's own, where at most {LARGEST:g} are rounding; it was not written. Samples "
            "that are equally near to several training rows do this with knn"
        )
    facts = {
        "file": FILE,
        "opset": OPSET,
        "inputs": [part.described() for part in inputs],
        "output": {"name": OUTPUT, "type": "float64", "shape": ["n", len(cell.classes)]},
        "samples_compared": len(views[0]),
        "largest_difference": difference,
    }
    return Exported(content, facts)


def _written(cell: FittedCell, inputs: Sequence[Input]) -> bytes:
    from pipeline.use.exporting.network import CellNetwork
    from pipeline.use.exporting.writing import onnx_file, too_large

    network = CellNetwork(cell, inputs).eval()
    problem = too_large(network)
    if problem:
        raise BundleError(
            f"--onnx: the classifier cannot be exported: {problem}; knn and trees grow with the "
            "rows that they learned from, the others do not"
        )
    return onnx_file(
        network, network.examples(),
        names=([part.name for part in inputs], OUTPUT), shapes=(network.dynamic_shapes(),),
    )


def _largest_difference(
    content: bytes, cell: FittedCell, inputs: Sequence[Input], views: Sequence[Views]
) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for start in range(0, len(views[0]), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(views[0])))
        part = [of_model.take(rows) for of_model in views]
        probabilities: NDArray[Any] = session.run([OUTPUT], dict(arrays(inputs, part)))[0]
        difference = np.abs(probabilities - cell.of_views(part)).max()
        largest = float(np.maximum(largest, difference))  # of NaN, NaN
    return largest
