"""From a grid to the data set, folds and cells that a run compares."""

from __future__ import annotations

from pipeline.config.cells import expand, sample_modalities
from pipeline.config.grid import Grid
from pipeline.data.class_texts import with_class_texts
from pipeline.data.dataset import Dataset, build
from pipeline.data.sources import SOURCES
from pipeline.engine.progress import Progress
from pipeline.engine.task import Engine
from pipeline.folds.draw import draw
from pipeline.plan.comparison import Comparison
from pipeline.store.store import Store


def load(
    grid: Grid, store: Store, engine: Engine, progress: Progress, *, keep: bool = True
) -> Comparison:
    """What a grid compares; `keep` in the store what takes long to draw.

    Raises
    ------
    SourceError, DatasetError
        With everything that is wrong with the data.
    """
    dataset = _dataset(grid, store)
    folds = draw(dataset, grid.split, grid.seed, store if keep else None)
    return Comparison(grid, tuple(expand(grid)), dataset, folds, store, engine, progress)


def _dataset(grid: Grid, store: Store) -> Dataset:
    source, unseen = SOURCES[grid.data.name](**grid.data.parameters), grid.split.unseen_classes
    dataset = build(
        source.load(grid.folder),
        sample_modalities(expand(grid)),
        grid.on_bad_rows,
        store,
        grid.split.group,
        smallest_class=1 if unseen else grid.split.folds or 2,
        keep_unlabelled=grid.keep_unlabelled,
    )
    return with_class_texts(dataset, grid.class_texts, grid.folder) if unseen else dataset
