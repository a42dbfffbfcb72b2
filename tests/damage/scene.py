"""A small grid on a small table, and folders in which runs of it may come to harm."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config.reading.origin import LOCK
from pipeline.results.live import LIVE_FILES
from pipeline.results.placing import FILES, PREVIOUS
from pipeline.store.__main__ import prune
from pipeline.store.folder import FolderStore
from tests.damage.running import COMMAND, Running, Stages
from tests.support.tiny import results, write_grid, write_table

# Files of FILES that only some runs leave.
SOME = {"dropped.csv", "failures.json", "ranks.parquet", "report.pdf"}
GRID = """
name: damage
seed: 3
data: {source: table, path: items.csv, image: picture, text: words, label: kind, id: sku}
split: {folds: 2, repeats: 1, inner: 2}
image: [handcrafted]
text: [tfidf, {word2vec: {size: 4, epochs: 1}}]
fusion: [image_only, text_only, concat, {attention: {epochs: 1, width: 4}}, {late: {rule: mean}}]
classifier: {logistic: {C: [1, 100]}}
learning_curve: [0.5, 1]
"""
# The same without what imports torch and gensim, which takes longer than all else.
LIGHT = GRID.replace(", {word2vec: {size: 4, epochs: 1}}", "").replace(
    "{attention: {epochs: 1, width: 4}}, ", ""
)
# Its bundles have scikit-learn's own parts.
FOREST = LIGHT.replace("{logistic: {C: [1, 100]}}", "{random_forest: {trees: 5}}").replace(
    "learning_curve: [0.5, 1]\n", ""
)
# The least that has rows to check, features to learn, and cells to fit and to combine.
LEAST = (
    LIGHT.replace("image: [handcrafted]\n", "").replace("image: picture, ", "")
    .replace("[image_only, text_only, concat, {late: {rule: mean}}]", "[majority, text_only]")
    .replace("learning_curve: [0.5, 1]\n", "")
)
PER_CLASS = 16
TIMES = re.compile(r"_seconds$")


@dataclass(frozen=True, eq=False)
class Stand:
    """A folder with a grid, its store and its results."""

    folder: Path

    @property
    def store(self) -> FolderStore:
        """Its store, opened anew: nothing is known of its files yet."""
        return FolderStore(self.folder / "store")

    @property
    def out(self) -> Path:
        """The folder of its run."""
        return self.folder / "out"

    def command(self, jobs: int, *options: str) -> list[str]:
        """What runs its grid."""
        return [*COMMAND, "pipeline.run", str(self.folder / "grid.yaml"), "--out", str(self.out),
                "--store", str(self.folder / "store"), "--jobs", str(jobs), *options]

    def start(self, jobs: int, *options: str) -> Running:
        """A run of its grid, which has just begun."""
        return Running(self.command(jobs, *options), self.folder)

    def predictions(self) -> pa.Table:
        """Of its finished run."""
        return pq.read_table(self.out / "predictions.parquet")


class Scene:
    """A grid, an undisturbed run of it, and copies of both.

    Parameters
    ----------
    folder : an empty one.
    grid : what is run.
    """

    def __init__(self, folder: Path, grid: str = GRID, jobs: int = 1) -> None:
        self._folder, self._copies = folder, 0
        self.calm = Stand(folder / "calm")
        self.calm.folder.mkdir(parents=True)
        write_table(self.calm.folder, per_class=PER_CLASS)
        write_grid(self.calm.folder, grid)
        with self.calm.start(jobs) as run:
            if run.end() != 0:
                raise RuntimeError(f"the undisturbed run failed:\n{run.text}")
        self.stages: Stages = run.stages
        self.results, self.predictions = results(self.calm.folder), self.calm.predictions()

    def copy(self, *parts: str) -> Stand:
        """A new stand with the same rows, and with these of "store", "out" and "tmp".

        In "tmp" are the charts that the calm run drew, which a later run finds.
        """
        self._copies += 1
        stand = Stand(self._folder / f"stand-{self._copies}")
        stand.folder.mkdir()
        for path in self.calm.folder.iterdir():
            if path.suffix in (".png", ".csv", ".yaml"):
                os.link(path, stand.folder / path.name)
        for name in parts:
            shutil.copytree(self.calm.folder / name, stand.folder / name)
        return stand

    # What must be so afterwards

    def after(self, stand: Stand, jobs: int = 1, *options: str) -> list[str]:
        """What is wrong with a run that is left alone, after whatever harmed its stand."""
        with stand.start(jobs, *options) as run:
            run.end()
            return self.problems(stand, run)

    def problems(self, stand: Stand, run: Running) -> list[str]:
        """What is wrong with a run that had ended well, its folder and its store."""
        found_wrong = run.problems()
        if run.code != 0:
            return [*found_wrong, f"exit code {run.code}: {run.text[-300:]}"]
        return found_wrong + self.of_folder(stand.out) + of_store(stand.store) + run.left_over()

    def of_folder(self, out: Path) -> list[str]:
        """What is wrong with a run's folder: other numbers, files that are no run's."""
        problems = []
        if results(out.parent, out.name) != self.results:
            problems.append("other scores")
        if not pq.read_table(out / "predictions.parquet").equals(self.predictions):
            problems.append("other predictions")
        strays = {path.name for path in out.iterdir()} - {*FILES, *LIVE_FILES, PREVIOUS}
        problems += [f"left in the run's folder: {name}" for name in sorted(strays)]
        return problems

    def is_whole(self, out: Path) -> bool:
        """Whether a folder is that of one finished run, or of none: readers look for the lock."""
        if not (out / LOCK).exists():
            return True
        missing = [name for name in FILES if not (out / name).exists()]
        return set(missing) <= SOME and not self.of_files(out)

    def of_files(self, out: Path) -> list[str]:
        """What is wrong with the numbers of a folder."""
        return [problem for problem in self.of_folder(out) if problem.startswith("other")]


def of_store(store: FolderStore) -> list[str]:
    """What is wrong with a store after a run, and what stays in it when it is pruned."""
    keys = set(store.all_keys())
    problems = [f"entry {key[:12]}: {why}" for key in keys if (why := store.problem(key))]
    prune(store)
    lost = [key for key in keys - set(store.all_keys()) if not is_shard(store, key)]
    if lost and not problems:
        problems.append(f"pruning removed {len(lost)} sound entries")
    left = [path.name for path in (store.root / "partial").glob("*")]
    return problems + [f"left in the store: {name}" for name in left]


def is_shard(store: FolderStore, key: str) -> bool:
    """Whether the entry of a key was a shard, which pruning may have put into another."""
    return any(key in keys for keys in store.groups().values()) or not store.holds(key)
