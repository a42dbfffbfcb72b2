"""Rows of a Hugging Face data set, through the datasets library."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from features.machine.home import expanded
from pipeline.data.reading import arrow as pa
from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.columns import Columns, missing_columns
from pipeline.data.sources.problems import check_installed, hint
from pipeline.data.sources.rows import Names, Recurring, Roles, samples_from

if TYPE_CHECKING:
    from datasets import Dataset

TRAIN = "train"  # the split that is taken by default
# Files by which a folder that datasets saved itself (save_to_disk) is known.
SAVED = ("dataset_dict.json", "state.json")


@dataclass(frozen=True, kw_only=True)
class HuggingFace:
    """Rows of a data set on the Hugging Face hub or in a local folder.

    `image` or `text` may be absent.

    Parameters
    ----------
    path : a folder relative to the grid file (written by save_to_disk, or of Parquet, CSV ...
        files), or else the data set's name on the hub.
    label : column with the class; class numbers become the class names that the data set gives
        them.
    name : the data set's configuration, where it has several.
    split : which of its splits, such as train, train+test or train[:10%]; what save_to_disk wrote
        is taken by whole splits. By default train, and where there are others that is said.
    image, text, id, group, breakdown : columns as for the source `table`.
    recurring : as for the source `table`.
    """

    requires: ClassVar[tuple[str, ...]] = ("datasets",)

    path: str
    label: str
    image: str | None = None
    text: Names | None = None
    id: str | None = None
    group: Names | None = None
    name: str | None = None
    split: str | None = None
    breakdown: Names | None = None
    recurring: Recurring | None = None

    def load(self, folder: Path) -> Samples:
        """Read the rows without decoding pictures; see pipeline.data.samples.Source.

        Raises
        ------
        SourceError
            The library, the data set, its split or a column is missing.
        """
        roles = replace(Roles.of(self), split=None)
        roles.check(self.path)
        local = folder / expanded(self.path)
        dataset, split, splits = self._dataset(local)
        source = (local if local.exists() else Path(self.path)) / split
        asked = roles.asked()
        problems = missing_columns(asked, dataset.column_names, source)
        if problems:
            raise SourceError(problems)
        names = list(dict.fromkeys(name for _, name in asked))
        columns = Columns(
            source,
            tuple(dataset.column_names),
            _arrow(dataset.select_columns(names)),
            allow_outside=True,  # the library says where it put the files
        )
        locations = [columns.location(row) for row in range(len(columns.table))]
        others = [] if self.split else sorted({*splits} - {split})
        notes = [
            f"of the data set '{self.path}' only the split '{split}' is taken, and not "
            f"{', '.join(others)}: say under data: which split you mean"
        ]
        return replace(samples_from(columns, locations, roles), notes=notes if others else ())

    def _dataset(self, local: Path) -> tuple[Dataset, str, Collection[str]]:
        """A split of the data set, its name, and the names of all splits."""
        check_installed("huggingface", self.requires)
        import datasets

        there = local.exists()
        try:
            if any((local / name).is_file() for name in SAVED):
                saved = datasets.load_from_disk(str(local))
                splits = saved if isinstance(saved, dict) else {str(saved.split or TRAIN): saved}
                split = _chosen(self.split, splits)
                return splits[split], split, splits
            path, split = str(local) if there else self.path, self.split or TRAIN
            dataset = datasets.load_dataset(path, self.name, split=split)
            return dataset, split, dataset.info.splits or ()
        except (OSError, ValueError) as error:
            where = f"from the folder {local}" if there else f"from the hub (no folder {local})"
            asked = f"the split '{self.split}'" if self.split else "a split"
            raise SourceError(
                [f"path: {asked} of the data set '{self.path}' cannot be read {where}: {error}"]
            ) from error


def _chosen(split: str | None, splits: Collection[str]) -> str:
    """The split that is asked for, else the only one, or the one to learn from."""
    if split is None:
        split = next(iter(splits)) if len(splits) == 1 else TRAIN
    if split not in splits:
        raise ValueError(f"no split '{split}' was saved{hint(split, splits, 'splits')}")
    return split


def _arrow(dataset: Dataset) -> pa.Table:
    """Turn all rows into an Arrow table: pictures as {bytes, path}, class numbers as names."""
    from datasets import ClassLabel  # an optional package

    table = dataset.with_format("arrow")[:]  # this format leaves pictures encoded, as {bytes, path}
    for position, (name, feature) in enumerate(dataset.features.items()):
        if isinstance(feature, ClassLabel):
            # -1 is the library's number for "no label".
            numbers = [None if number == -1 else number for number in table[name].to_pylist()]
            names = pa.array(feature.names, pa.string()).take(pa.array(numbers, pa.int64()))
            table = table.set_column(position, name, names)
    return table
