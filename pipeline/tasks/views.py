"""A unit's views of the samples, from stored features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from features.block import Block, BlockName, modality_of
from models.fusion import ClassTexts, Fit
from models.views import Views
from pipeline.data.rows import Rows
from pipeline.folds.fold import RowSplit
from pipeline.metrics.metric import Probabilities
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.unit import Unit


def loaded_blocks(unit: Unit, context: Context, store: Store) -> dict[BlockName, list[Block]]:
    """The unit's blocks; features that several folds use are one block, so that models see it."""
    loaded: dict[str, Block] = {}
    for name, forms in unit.features.items():
        for form in forms:
            if form.key not in loaded:
                loaded[form.key] = _loaded(form, context.index[modality_of(name)], store)
    return {
        name: [loaded[form.key] for form in forms] for name, forms in unit.features.items()
    }


def _loaded(features: Features, index: Rows, store: Store) -> Block:
    block = features.load(store, index)
    if block is None:
        raise FileNotFoundError(
            f"features of {features.component.label} are missing from the store or damaged; run "
            "again to compute them"
        )
    return block


def fit_of(
    unit: Unit, position: int, blocks: Mapping[BlockName, Sequence[Block]], context: Context
) -> Fit:
    """The outer split (position 0) or an inner one, with the features learned from its rows."""
    of_split = {name: by_split[position] for name, by_split in blocks.items()}
    views = _views(of_split, context)
    return fit_on(views, unit.fold.splits()[position], context)


def fit_on(views: Views, split: RowSplit, context: Context) -> Fit:
    """What is learned from, and asked about, in one split of the rows.

    Training rows come with their augmented copies, test rows only where predictions are averaged
    over them.
    """
    train, test, unlabelled = split
    return Fit(*training(views, train, context.labels), views.take(test).for_prediction(),
               views.take(unlabelled) if len(unlabelled) else None,
               _class_texts(views, context.labels[np.concatenate([train, test])], context))


def _class_texts(views: Views, labels: Rows, context: Context) -> ClassTexts | None:
    """The texts of these labels' classes: inner folds know nothing of the classes held out."""
    if context.class_texts is None:
        return None
    texts = None if views.text is None else views.text.at(context.class_texts.positions)
    return ClassTexts(context.class_texts.classes, texts).of(labels)


def training(views: Views, rows: Rows, labels: Rows) -> tuple[Views, Rows]:
    """Training samples and their labels: the rows and their augmented copies."""
    expanded = views.take(rows).with_copies()
    return expanded, np.tile(labels[rows], len(expanded) // max(len(rows), 1))


def _views(blocks: Mapping[BlockName, Block], context: Context) -> Views:
    """Views of these blocks; a model that needs none gets one column of zeros."""
    if not blocks:
        nothing = Block(
            np.zeros((1, 1), dtype=np.float32), np.zeros(len(context.labels), dtype=np.int64)
        )
        return Views(image=nothing, groups=context.groups)
    return Views.of(blocks, context.groups)


def outer_views(unit: Unit, context: Context, store: Store) -> Views:
    """Features of all rows, as learned from the outer training rows of the unit's fold."""
    blocks = {
        name: _loaded(forms[0], context.index[modality_of(name)], store)
        for name, forms in unit.features.items()
    }
    return _views(blocks, context)


def finite(name: str, probabilities: Probabilities) -> Probabilities:
    """The probabilities themselves; raises FloatingPointError where they are not all numbers."""
    if not np.all(np.isfinite(probabilities)):
        raise FloatingPointError(f"{name} predicts probabilities that are not finite")
    return probabilities


def aligned(probabilities: Probabilities, columns: Rows, classes: int) -> Probabilities:
    """Probabilities (n, K) over all classes, rows summing to 1; 0 where a model has no column."""
    complete = np.zeros((len(probabilities), classes))
    complete[:, columns] = probabilities
    return np.asarray(complete / complete.sum(axis=1, keepdims=True))


def averaged(probabilities: Probabilities, rows: int) -> Probabilities:
    """Mean probabilities (rows, K) over the augmented copies predicted: (rows (1 + k), K)."""
    times = len(probabilities) // max(rows, 1)
    return probabilities if times < 2 else probabilities.reshape(times, rows, -1).mean(axis=0)
