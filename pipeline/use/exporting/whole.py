"""All of a cell as ONNX: its classifier, its encoders where they can be, and how far both are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, Modality, modality_of
from features.machine.identity import versions
from features.machine.onnx_runtime import PACKAGES
from models.views import Views
from pipeline.data.rows import Rows
from pipeline.plan.comparison import Comparison
from pipeline.tasks.encoding.samples import put_samples, samples_at
from pipeline.use.exporting.encoders import (
    GRAPH,
    LACKS,
    EncoderFacts,
    OfModels,
    all_of,
    encoder_of,
    exported_encoders,
    files_of,
    reasons,
)
from pipeline.use.exporting.exported import FILE, LARGEST, exported
from pipeline.use.exporting.runtime import ExportedCell
from pipeline.use.fitted import EncodingModel, FittedCell, Items, encoded
from pipeline.use.refit import Refit

COMPARED = 1000  # rows that are read and predicted by both runtimes


class Export(NamedTuple):
    """What a bundle is given for ONNX.

    Parameters
    ----------
    facts : as JSON. "encoders" has for each model what becomes of its encoders, and "whole" how far
        the probabilities are from the bundle's own, or what it lacks to be asked without PyTorch.
    files : by name.
    """

    facts: dict[str, Any]
    files: dict[str, bytes]


class Compared(NamedTuple):
    """Rows that a cell learned from, as items and as features of each of its models."""

    items: Items
    views: Sequence[Views]


def export_of(refit: Refit, comparison: Comparison) -> Export:
    """A fitted cell as ONNX.

    Raises
    ------
    BundleError
        Where the probabilities of its classifier part are not the cell's own.
    """
    views = list(map(Views.of, refit.features))
    classifier = exported(refit.cell, views)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / FILE).write_bytes(classifier.content)
        encoders = exported_encoders(refit.cell, folder)
        compared = _compared(refit.cell, views, comparison)
        blocks = _encoded(refit.cell, encoders, compared.items, folder)
        _check_vectors(encoders, blocks, compared.views)
        whole = _whole(refit.cell, encoders, blocks, compared.views, folder / FILE)
        files = {name: (folder / name).read_bytes() for name in [FILE, *files_of(encoders)]}
    whole["rows_fitted"] = len(views[0])
    return Export(classifier.facts | {"encoders": encoders, "whole": whole}, files)


def _compared(cell: FittedCell, views: Sequence[Views], comparison: Comparison) -> Compared:
    """Rows from the first to the last at equal distances, no more than COMPARED."""
    labelled = np.flatnonzero(comparison.dataset.labels >= 0)
    chosen = np.unique(np.linspace(0, len(labelled) - 1, COMPARED).astype(np.int64))
    items = {
        modality: _samples(modality, labelled[chosen], comparison) for modality in cell.modalities
    }
    return Compared(items, [of_model.take(chosen) for of_model in views])


def _samples(modality: Modality, rows: Rows, comparison: Comparison) -> list[Any]:
    """Pictures or texts of rows, None for those without."""
    dataset, store = comparison.dataset, comparison.store
    samples = samples_at(put_samples(dataset, modality, store), store)
    positions = dataset.modalities[modality].index[rows]
    return [None if position < 0 else samples[int(position)] for position in positions]


def _encoded(
    cell: FittedCell, encoders: OfModels, items: Items, folder: Path
) -> list[dict[BlockName, Block]]:
    """Features of items by all encoders that need no PyTorch, an encoder of several models once."""
    known: dict[str, Block] = {}
    of_models: list[dict[BlockName, Block]] = []
    for model, facts in zip(cell.models, encoders, strict=True):
        usable = [name for name in model.encoders if LACKS not in facts[name]]
        for name in usable:
            encoder = model.encoders[name]
            if repr(encoder) not in known:
                by_onnx = encoder_of(facts[name], encoder, folder)
                known[repr(encoder)] = encoded(by_onnx, items[modality_of(name)])
        of_models.append({name: known[repr(model.encoders[name])] for name in usable})
    return of_models


def _check_vectors(
    encoders: OfModels, blocks: Sequence[Mapping[BlockName, Block]], views: Sequence[Views]
) -> None:
    """Note how far exported vectors are from the encoder's own; too far, and they are lacking."""
    for facts, by_onnx, of_model in zip(encoders, blocks, views, strict=True):
        for name in [name for name in facts if GRAPH in facts[name]]:
            here, there = _filled(by_onnx[name]), _filled(of_model.blocks()[name])
            length = min(here.shape[1], there.shape[1])  # of sequences, the rest is padding
            difference = _largest(here[:, :length], there[:, :length])
            if difference <= LARGEST:
                facts[name]["largest_difference"] = difference
            else:
                _lacking(facts[name], "vectors", difference)


def _filled(block: Block) -> NDArray[Any]:
    return np.asarray(block.sequence()[0] if block.is_sequence else block.array())


def _whole(
    cell: FittedCell,
    encoders: OfModels,
    blocks: Sequence[Mapping[BlockName, Block]],
    views: Sequence[Views],
    classifier: Path,
) -> dict[str, Any]:
    """How far the exported cell is from the cell, or what it lacks."""
    if reasons(encoders):
        return {LACKS: "; ".join(reasons(encoders))}
    models = tuple(EncodingModel(model.encoders) for model in cell.models)
    there = ExportedCell(models, cell.classes, cell.left_out, classifier)
    difference = _largest(there.of_views(list(map(Views.of, blocks))), cell.of_views(views))
    if not difference <= LARGEST:
        for facts in all_of(encoders):
            _lacking(facts, "probabilities", difference)
        return {LACKS: "; ".join(reasons(encoders))}
    return {
        "rows_compared": len(views[0]),
        "largest_difference": difference,
        "bound": LARGEST,
        "libraries": versions(*PACKAGES),
    }


def _lacking(facts: EncoderFacts, noun: str, difference: float) -> None:
    """Say of an encoder that what it gives as ONNX is other than it was."""
    facts.clear()
    facts[LACKS] = (
        f"an encoder that gives the same: {noun} differ by {difference:.2g} from the bundle's own, "
        f"where at most {LARGEST:g} are rounding"
    )


def _largest(here: NDArray[Any], there: NDArray[Any]) -> float:
    """The largest difference; of NaN, NaN."""
    return float(np.abs(here - there).max(initial=0.0))
