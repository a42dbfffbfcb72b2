"""A bundle's cell by ONNX Runtime: nothing here imports PyTorch or what is built on it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from features.encoders.exported_sentences import ExportedSentences
from features.machine.extras import not_installed
from features.machine.identity import versions
from features.machine.nearest import nearest
from features.machine.onnx_runtime import PACKAGES, session_of
from models.views import Views
from pipeline.metrics.metric import Probabilities
from pipeline.program.names import called
from pipeline.use.conformal import LeftOut
from pipeline.use.exporting.encoders import LACKS, POSSIBLE, encoder_of, files_of
from pipeline.use.exporting.inputs import OUTPUT, arrays, inputs_of
from pipeline.use.fitted import EncodingModel, FittedCell, PredictingCell
from pipeline.use.problem import BundleError
from reports.wording import listed

Runtime = Literal["python", "onnx"]
# What of a bundle's state is in its export, and need not be read.
NOT_ASKED = {
    "pipeline.use.fitted:FittedCell": ("rule",),
    "pipeline.use.fitted:FittedModel": ("fusion",),
}
NUMBERS_AT_ONCE = 2**24  # features that are handed over together: sparse ones are made dense


@dataclass(frozen=True, eq=False)
class ExportedCell(PredictingCell):
    """What an exported cell predicts.

    Parameters
    ----------
    models : the encoders of each of its models.
    classifier : file of ONNX, which takes the features of all of them.
    """

    models: tuple[EncodingModel, ...]
    classes: tuple[str, ...]
    left_out: LeftOut | None
    classifier: Path

    def of_views(self, views: Sequence[Views]) -> Probabilities:
        """See PredictingCell."""
        inputs, count = inputs_of(views), len(views[0])
        blocks = chain.from_iterable(of_model.blocks().values() for of_model in views)
        numbers = sum(int(np.prod(block.values.shape[1:])) for block in blocks)
        step = max(1, NUMBERS_AT_ONCE // max(numbers, 1))
        parts = [np.zeros((0, len(self.classes)))]
        for start in range(0, count, step):
            part = [of_model.take(np.arange(start, min(start + step, count)))
                    for of_model in views]
            parts.append(self.session.run([OUTPUT], dict(arrays(inputs, part)))[0])
        return np.concatenate(parts)

    def unchanged(self) -> list[EncodingModel]:
        """The encoders of each model that are used as the bundle holds them."""
        return [
            EncodingModel({
                name: encoder for name, encoder in model.encoders.items()
                if not isinstance(encoder, ExportedSentences)
            })
            for model in self.models
        ]

    @cached_property
    def session(self) -> Any:
        """What asks the classifier. Raises ValueError where its file cannot be read."""
        return session_of(self.classifier)


def runs_by_onnx(runtime: str, about: Mapping[str, Any], folder: Path) -> bool:
    """Whether a bundle shall be asked by ONNX Runtime.

    Parameters
    ----------
    about : what the bundle says of itself.

    Raises
    ------
    BundleError
        Where there is no such runtime, the bundle has nothing for it, or a package is missing.
    """
    if runtime not in get_args(Runtime):
        raise BundleError(f"there is no runtime {runtime!r}; {nearest(runtime, get_args(Runtime))}")
    if runtime == "python":
        return False
    whole = about.get("onnx", {}).get("whole")
    if whole is None:
        of_classifier = "exports its classifier alone" if "onnx" in about else "has no export"
        raise BundleError(
            f"{folder} {of_classifier}: {called('bundle')} RUN --onnx -o FOLDER writes a "
            "bundle that ONNX Runtime can be asked about"
        )
    if LACKS in whole:
        raise BundleError(
            f"{folder} cannot be asked by ONNX Runtime: it lacks {whole[LACKS]}. What can be: "
            f"bundles whose encoders are among {POSSIBLE}"
        )
    missing = not_installed(PACKAGES)
    if missing:
        # not by the extra, whose torch is for those who export
        raise BundleError(
            f"to be asked by ONNX Runtime, {folder} needs {listed(missing)}: pip install "
            f"{' '.join(PACKAGES)}"
        )
    return True


def exported_cell(cell: FittedCell, manifest: Mapping[str, Any], folder: Path) -> ExportedCell:
    """The cell that stands for a bundle's, whose files are opened.

    Parameters
    ----------
    cell : read without what NOT_ASKED names.
    manifest : the bundle's, which lists its files.

    Raises
    ------
    ValueError
        Where a file cannot be read, or is none of those.
    """
    facts = manifest["about"]["onnx"]
    for name in (facts["file"], *files_of(facts["encoders"])):
        if name not in manifest["files"]:
            raise ValueError(f"its export names the file {name}, which it does not list")
    models = tuple(
        EncodingModel({
            name: encoder_of(of_model[name], encoder, folder)
            for name, encoder in model.encoders.items()
        })
        for model, of_model in zip(cell.models, facts["encoders"], strict=True)
    )
    exported = ExportedCell(models, cell.classes, cell.left_out, folder / facts["file"])
    _ = exported.session
    here, there = versions(*PACKAGES), facts["whole"]["libraries"]
    if here != there:
        warnings.warn(
            f"the export of {folder} was checked with {_listed(there)}; here are {_listed(here)}: "
            "its probabilities may differ a little",
            stacklevel=3,
        )
    return exported


def _listed(libraries: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in libraries.items())
