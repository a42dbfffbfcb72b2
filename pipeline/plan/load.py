"""From a grid to the data set, folds and cells that a run compares."""

from __future__ import annotations

from pipeline.config.cells import expand, sample_modalities
from pipeline.config.grid import Grid
from pipeline.data.build import build
from pipeline.data.class_texts import with_class_texts
from pipeline.data.dataset import Dataset
from pipeline.data.row_check import RowRules
from pipeline.data.samples import Samples
from pipeline.data.sources import SOURCES
from pipeline.data.sources.class_texts import read_class_texts
from pipeline.engine.progress import Progress, step
from pipeline.engine.task import Engine
from pipeline.folds.draw import draw
from pipeline.plan.comparison import Comparison
from pipeline.store.store import Store


def load(
    grid: Grid,
    store: Store,
    engine: Engine,
    progress: Progress,
    *,
    keep: bool = True,
    samples: Samples | None = None,
) -> Comparison:
    """What a grid compares; `keep` in the store what takes long to draw.

    Parameters
    ----------
    samples : rows that are in memory; None for those of the grid's source.

    Raises
    ------
    SourceError, DatasetError
        With everything that is wrong with the data.
    """
    if samples is None:
        with step("read the rows"):
            samples = SOURCES[grid.data.name](**grid.data.parameters).load(grid.folder)
    dataset = _dataset(grid, samples, store)
    with step("draw folds"):
        folds = draw(dataset, grid.split, grid.seed, store if keep else None)
    return Comparison(grid, tuple(expand(grid)), dataset, folds, store, engine, progress)


def _dataset(grid: Grid, samples: Samples, store: Store) -> Dataset:
    unseen, official = grid.split.unseen_classes, grid.split.official
    pairs = grid.task == "retrieval"
    # The texts of a picture stay together, unless something else keeps rows together.
    group = grid.split.group or ("image" if pairs and samples.group is None else None)
    # An official split may ask for what it never shows: a row that no model can be right about.
    small = unseen or official or pairs
    rules = RowRules(
        grid.on_bad_rows,
        group,
        grid.missing_group,
        smallest_class=1 if small else grid.split.folds or 2,
        keep_unlabelled=grid.keep_unlabelled,
        labelled=not pairs,
    )
    dataset = build(samples, sample_modalities(expand(grid)), rules, store)
    if unseen:
        return with_class_texts(dataset, read_class_texts(grid.class_texts, grid.folder))
    return dataset
