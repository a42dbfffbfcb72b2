"""What attention models looked at, for the report: asked of refitted models once, and kept in the store."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models import FUSIONS
from models.neural.fusion import Attending
from pipeline.config.cells import Cell
from pipeline.data.dataset import Dataset
from pipeline.data.pictures import Pictures
from pipeline.data.rows import Rows
from pipeline.metrics import METRICS
from pipeline.plan.plan import Plan
from pipeline.results.scores import Outcome
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.encode import encode_all, fitted_encoder
from pipeline.tasks.features import Features
from pipeline.tasks.refit import Refitted, refit
from pipeline.tasks.unit import Unit
from reports.record import AttentionRecord, FoldRecord, MatchRecord

RIGHT, WRONG = 4, 4  # rows shown of each kind
SIDE = 168  # pixels of a shown picture
VERSION = 1


def attention_records(
    plan: Plan, found: Outcome, dataset: Dataset, context: Context, metric: str, store: Store
) -> tuple[tuple[AttentionRecord, ...], list[str]]:
    """Records of the best model that attends to pairs and of the best that weighs modalities.

    Models are refitted on the first outer fold; their answers are stored, so that this costs a fit
    once.

    Returns
    -------
    records, remarks : a remark names what could not be had, and why.
    """
    records, remarks = [], []
    for unit, folds in _best_units(plan, found, metric):
        try:
            records.append(_record(unit, folds, dataset, context, store))
        except Exception as error:  # the run's results stand without it
            remarks.append(f"What {unit.cell.name} looked at cannot be shown: {error}")
    return tuple(records), remarks


def _best_units(plan: Plan, found: Outcome, metric: str) -> list[tuple[Unit, FoldRecord]]:
    """For each kind of attention, the unit of the first fold of the cell with the best mean score."""
    folds: dict[Cell, list[FoldRecord]] = {}
    for (cell, _, _), one in found.records.items():
        folds.setdefault(cell, []).append(one)
    most = max(map(len, folds.values()), default=0)
    best: dict[str, tuple[float, Unit]] = {}
    sign = 1 if METRICS[metric].greater_is_better else -1
    for unit in plan.units:
        cls = FUSIONS[unit.cell.fusion.name]
        many = folds.get(unit.cell, [])
        if (
            (unit.fold.repeat, unit.fold.fold) != (0, 0)
            or len(many) < most
            or not issubclass(cls, Attending)
        ):
            continue
        score = sign * float(np.mean([one.scores[metric] for one in many]))
        if cls.attends not in best or score > best[cls.attends][0]:
            best[cls.attends] = score, unit
    return [(unit, found.records[unit.cell, 0, 0]) for _, unit in best.values()]


def _record(
    unit: Unit, result: FoldRecord, dataset: Dataset, context: Context, store: Store
) -> AttentionRecord:
    pairs = _attends(unit) == "pairs"
    rows = _chosen(result, dataset) if pairs else _complete(result.rows, dataset)
    if not len(rows):
        raise ValueError("no test row of its first fold has both a picture and a text")
    ingredients = {
        "kind": "attention",
        "version": VERSION,
        "result": key_of(unit.ingredients),
        "rows": rows.tolist(),
    }
    answer = _matched if pairs else _weighed
    entry = store.get(
        ingredients, lambda: answer(_refitted(unit, dataset, context, store), rows, dataset)
    )
    if pairs:
        return AttentionRecord(
            result.cell, result.repeat, result.fold, matches=_matches(entry, rows)
        )
    weights = np.asarray(entry.arrays["weights"], dtype=np.float64)
    return AttentionRecord(
        result.cell, result.repeat, result.fold, rows=rows, picture_weights=weights[:, 0]
    )


def _attends(unit: Unit) -> str:
    cls: Any = FUSIONS[unit.cell.fusion.name]
    return str(cls.attends)


def _complete(rows: Rows, dataset: Dataset) -> Rows:
    """Those that have both a picture and a text."""
    return rows[np.all([modal.index[rows] >= 0 for modal in dataset.modalities.values()], axis=0)]


def _chosen(result: FoldRecord, dataset: Dataset) -> Rows:
    """Some rows predicted right and some wrong: the first in the data set, of different classes where there are."""
    complete = np.isin(result.rows, _complete(result.rows, dataset))
    right = result.probabilities.argmax(axis=1) == dataset.labels[result.rows]
    chosen = [_varied(result.rows[complete & kind], dataset.labels, count)
              for kind, count in ((right, RIGHT), (~right, WRONG))]
    return np.concatenate(chosen)


def _varied(rows: Rows, labels: Rows, count: int) -> Rows:
    """The first row of each class, then the second of each, and so on, as many as wanted."""
    rows = np.sort(rows)
    rank = np.zeros(len(rows), dtype=np.int64)
    for label in np.unique(labels[rows]):
        rank[labels[rows] == label] = np.arange(np.sum(labels[rows] == label))
    return np.asarray(rows[np.lexsort((rows, rank))][:count])


def _refitted(unit: Unit, dataset: Dataset, context: Context, store: Store) -> Refitted:
    """The model again; its features are encoded again where they were removed from the store."""
    encode_all([many[0] for many in unit.features.values()], dataset, store, 1, lambda *_: None)
    return refit(unit, context, store)


def _weighed(found: Refitted, rows: Rows, dataset: Dataset) -> Entry:
    model: Any = found.model
    return Entry({"weights": model.attention(found.views.take(rows))})


def _matched(found: Refitted, rows: Rows, dataset: Dataset) -> Entry:
    """Weights of the rows' pairs and predictions; with words and pictures, where the encoders can tell them."""
    model: Any = found.model
    views = found.views.take(rows)
    arrays = {"alpha": model.attention(views), "probabilities": found.predict(views)}
    words = _asked(found.unit.features["text"][0], rows, dataset, _words)
    pictures = _asked(found.unit.features["image"][0], rows, dataset, _pictures)
    return Entry(arrays if pictures is None else arrays | {"pictures": pictures}, {"words": words})


def _asked(one: Features, rows: Rows, dataset: Dataset, ask: Callable[..., Any]) -> Any:
    """What an encoder tells of the samples in some rows; None from one that cannot tell."""
    modal = dataset.modalities[one.modality]
    try:
        return ask(one, modal, modal.index[rows])
    except NotImplementedError:
        return None


def _words(one: Features, modal: Any, positions: Rows) -> list[list[str]]:
    return fitted_encoder(one, modal).tokens([modal.samples[position] for position in positions])


def _pictures(one: Features, modal: Any, positions: Rows) -> NDArray[np.uint8]:
    pictures = Pictures(modal.samples, modal.digests)
    shown = one.encoder.shown([pictures[position] for position in positions])
    return np.stack([np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE))) for pixels in shown])


def _matches(entry: Entry, rows: Rows) -> tuple[MatchRecord, ...]:
    alphas, probabilities = (
        np.asarray(entry.arrays[name], dtype=np.float64) for name in ("alpha", "probabilities")
    )
    words: Sequence[Sequence[str]] | None = entry.facts["words"]
    found = []
    for place, row in enumerate(rows):
        tokens = None if words is None else tuple(words[place])
        alpha = alphas[place] if tokens is None else alphas[place][:, :len(tokens)]
        found.append(
            MatchRecord(int(row), probabilities[place], alpha, tokens, _jpeg(entry.arrays, place))
        )
    return tuple(found)


def _jpeg(arrays: Mapping[str, Any], place: int) -> bytes | None:
    if "pictures" not in arrays:
        return None
    file = io.BytesIO()
    Image.fromarray(np.asarray(arrays["pictures"][place])).save(
        file, "JPEG", quality=78, optimize=True
    )
    return file.getvalue()
