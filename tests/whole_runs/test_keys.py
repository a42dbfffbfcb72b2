"""Every ingredient of the keys, changed alone, forces the work that depends on it, once."""

from __future__ import annotations

import itertools
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from features.encoders.bag_of_words import BagOfWords
from models import CLASSIFIERS, FUSIONS
from models.classifiers.logistic import Logistic
from models.early.baselines import Majority
from models.early.concat import Concat
from pipeline.metrics import METRICS
from pipeline.tasks import fit, procedures, unit
from tests.support.samples import png
from tests.support.tiny import (
    GRID,
    MeanColour,
    read_rows,
    register,
    run_grid,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

FOLDS = re.sub(
    "fusion: .*", "fusion: [majority, image_only, text_only, {concat: {weight: [0.3, 0.6]}}]", GRID
)
# One fold, nothing to choose, a classifier that draws random numbers next to one that does not.
OFFICIAL = (
    re.sub(
        "classifier: .*", "classifier: [{logistic: {C: [10]}}, {random_forest: {trees: 3}}]", FOLDS
    )
    .replace("folds: 3", "official: true")
    .replace("id: sku", "id: sku, split: part")
    .replace("[0.3, 0.6]", "[0.4]")
)
ALL = {"majority", "image_only", "text_only", "concat"}
LEARNED = ALL - {"majority"}
WITH_IMAGE, WITH_TEXT = {"image_only", "concat"}, {"text_only", "concat"}


class Work(NamedTuple):
    """What a run computed.

    Parameters
    ----------
    results : how often each (cell, fold).
    passes : the pictures of each pass of the picture encoder.
    fits : the number of training texts of each fit of the text encoder.
    """

    results: Counter[tuple[str, int]]
    passes: list[int]
    fits: list[int]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folders of two runs with everything in their stores, to be copied."""
    folders = {}
    for name, grid in (("folds", FOLDS), ("official", OFFICIAL)):
        folder = tmp_path_factory.mktemp(name)
        write_table(folder)
        rows = read_rows(folder)
        # else the classes stand alike in each fold, whose majorities share a key
        random.Random(0).shuffle(rows)
        parts = (
            [["test" if number % 3 == 0 else "train"] for number in range(36)]
            if name == "official"
            else [[]] * 36
        )
        write_rows(folder, [row + part for row, part in zip(rows, parts, strict=True)],
                   *(["part"] if name == "official" else []))
        write_grid(folder, grid)
        with pytest.MonkeyPatch.context() as patch:
            register(patch)
            without_report(patch)
            assert run_grid(folder) == 0
        folders[name] = folder
    return folders


@pytest.fixture
def work(monkeypatch):
    """Runs a folder's grid in one process and says what was computed."""
    units, fits = [], []
    result, fit_features = fit._result, BagOfWords.fit_features
    monkeypatch.setattr(
        fit, "_result", lambda unit, *rest: units.append(unit) or result(unit, *rest)
    )
    monkeypatch.setattr(BagOfWords, "fit_features", lambda self, counts, *labels: (
        fits.append(len(counts)) or fit_features(self, counts, *labels)))

    def run(folder: Path) -> Work:
        units.clear(), fits.clear(), MeanColour.calls.clear()
        assert run_grid(folder) == 0
        return Work(Counter((unit.cell.name, unit.fold.fold) for unit in units),
                    list(MeanColour.calls), sorted(fits))

    return run


NOTHING = Work(Counter(), [], [])


def copied(finished: dict[str, Path], name: str, folder: Path) -> Path:
    return Path(shutil.copytree(finished[name], folder / "copy"))


# --- the changes


def grid(old: str, new: str) -> Callable[..., None]:
    def change(folder: Path, patch: Any) -> None:
        text = (folder / "grid.yaml").read_text()
        assert old in text
        write_grid(folder, text.replace(old, new))
    return change


def attribute(owner: Any, name: str, value: Any) -> Callable[..., None]:
    return lambda folder, patch: patch.setattr(owner, name, value)


def row(sku: str, column: int, value: str) -> Callable[..., None]:
    def change(folder: Path, patch: Any) -> None:
        rows, header = (
            read_rows(folder),
            (folder / "items.csv").read_text().splitlines()[0].split(","),
        )
        mine = next(line for line in rows if line[0] == sku)
        assert mine[column] != value
        mine[column] = value
        write_rows(folder, rows, *header[4:])
    return change


def other_bytes(folder: Path, patch: Any) -> None:
    (folder / "7.png").write_bytes(png(99))


def other_path(folder: Path, patch: Any) -> None:
    (folder / "7.png").rename(folder / "seven.png")
    row("id7", 1, "seven.png")(folder, patch)


def other_metric_version(folder: Path, patch: Any) -> None:
    patch.setitem(METRICS, "log_loss", replace(METRICS["log_loss"], version=99))


def other_class(registry: dict[str, type], name: str) -> Callable[..., None]:
    """A class that differs in nothing but its name."""
    def change(folder: Path, patch: Any) -> None:
        cls = registry[name]
        patch.setitem(registry, name, type("Other", (cls,), {"__init__": cls.__init__}))
    return change


def other_libraries(folder: Path, patch: Any) -> None:
    patch.setattr(unit, "VERSIONS", {**unit.VERSIONS, "numpy": "0.0"})


def procedure(name: str) -> Callable[..., None]:
    return lambda folder, patch: patch.setitem(
        procedures.VERSIONS, name, procedures.VERSIONS[name] + 1
    )


OUTER, INNER = [24] * 3, [12] * 6  # training texts of each fold; of each of its two inner folds
TEXTS = INNER + OUTER
# Name -> the change, the fusions fitted again (on every fold), passes over the pictures, fits of
# the texts.
ON_FOLDS: dict[str, tuple[Callable[..., None], set[str], list[int], list[int]]] = {
    "nothing": (lambda *_: None, set(), [], []),
    "picture bytes": (other_bytes, WITH_IMAGE, [1], []),  # the others' features are there
    "text": (row("id5", 2, "another text"), WITH_TEXT, [], TEXTS),
    "picture encoder": (other_class(IMAGE_ENCODERS, "mean_colour"), WITH_IMAGE, [36], []),
    "picture encoder parameter": (
        grid("[mean_colour]", "[{mean_colour: {power: 2}}]"),
        WITH_IMAGE,
        [36],
        [],
    ),
    "picture encoder version": (attribute(MeanColour, "version", 2), WITH_IMAGE, [36], []),
    "picture encoder identity": (attribute(MeanColour, "weights", "other"), WITH_IMAGE, [36], []),
    "text encoder": (other_class(TEXT_ENCODERS, "bow"), WITH_TEXT, [], TEXTS),
    "text encoder parameter": (grid("[bow]", "[{bow: {min_df: 2}}]"), WITH_TEXT, [], TEXTS),
    "text encoder version": (attribute(BagOfWords, "version", 99), WITH_TEXT, [], TEXTS),
    "text encoder identity": (
        attribute(BagOfWords, "identity", lambda self: {"libraries": "9"}),
        WITH_TEXT,
        [],
        TEXTS,
    ),
    "training rows": (grid("seed: 3", "seed: 4"), ALL, [], TEXTS),
    "outer folds": (grid("folds: 3", "folds: 2"), ALL, [], [9] * 4 + [18] * 2),
    "inner folds": (grid("inner: 2", "inner: 3"), LEARNED, [], [16] * 9),
    "fusion": (other_class(FUSIONS, "concat"), {"concat"}, [], []),
    "fusion version": (attribute(Concat, "version", 99), {"concat"}, [], []),
    "fusion candidates": (grid("[0.3, 0.6]", "[0.3, 0.7]"), {"concat"}, [], []),
    "majority version": (attribute(Majority, "version", 99), {"majority"}, [], []),
    "classifier": (other_class(CLASSIFIERS, "logistic"), LEARNED, [], []),
    "classifier version": (attribute(Logistic, "version", 99), LEARNED, [], []),
    "classifier candidates": (grid("[1, 100]", "[1, 10]"), LEARNED, [], []),
    "order of candidates": (grid("[1, 100]", "[100, 1]"), LEARNED, [], []),
    "tuning metric": (grid("seed: 3", "seed: 3\ntuning_metric: accuracy"), LEARNED, [], []),
    "tuning metric version": (other_metric_version, LEARNED, [], []),
    "procedure of encoding": (procedure("encode"), LEARNED, [36], TEXTS),
    "procedure of fitting": (procedure("fit"), ALL, [], []),
    "procedure of the temperature": (procedure("temperature"), ALL, [], []),
    "procedure of combining": (procedure("combine"), set(), [], []),
    "library versions": (other_libraries, ALL, [], []),
    "ranking metric": (grid("seed: 3", "seed: 3\nmetric: accuracy"), set(), [], []),
    "picture path": (other_path, set(), [], []),
    "id": (row("id5", 0, "id5 corrected"), set(), [], []),  # where it stands in their order
    "name of the run": (grid("name: tiny", "name: other"), set(), [], []),
}


@pytest.mark.parametrize("name", ON_FOLDS)
def test_a_change_forces_what_depends_on_it_once_and_nothing_else(
    finished, tmp_path, monkeypatch, work, name
):
    change, fusions, passes, fits = ON_FOLDS[name]
    folder = copied(finished, "folds", tmp_path)
    change(folder, monkeypatch)
    done = work(folder)
    folds = range(2 if name == "outer folds" else 3)
    again = Counter((fusion_of(cell), fold) for cell, fold in done.results.elements())
    # The majority looks at labels alone: folds with the same ones share its result.
    shared = {(fusion, fold) for fusion, fold in again if fusion == "majority"}
    expected = Counter(itertools.product(fusions, folds))
    assert bool(shared) == ("majority" in fusions and name != "training rows")
    for key in set(expected) - shared:
        if key[0] == "majority":
            del expected[key]
    assert again == expected
    assert (done.passes, done.fits) == (passes, fits)
    assert work(folder) == NOTHING


def fusion_of(cell: str) -> str:
    return next(part for part in cell.replace("(", " ").split() if part in ALL)


# --- changes that folds drawn by class would blur: on the official split


# Fits of encoders are those of inner folds that were drawn anew: cells are chosen there.
@pytest.mark.parametrize(("change", "expected"), [
    (
        row("id1", 3, "dog"),
        ({
            "majority",
            *(f"{fusion} / logistic" for fusion in LEARNED),
            *(f"{fusion} / random_forest" for fusion in LEARNED),
        }, [12, 12]),
    ),
    (grid("seed: 3", "seed: 4"), ({f"{fusion} / random_forest" for fusion in LEARNED}, [12, 12])),
    (grid("trees: 3", "trees: 4"), ({f"{fusion} / random_forest" for fusion in LEARNED}, [])),
    (grid("C: [10]", "C: [20]"), ({f"{fusion} / logistic" for fusion in LEARNED}, [])),
    (grid("inner: 2", "inner: 3"), (set(), [16, 16, 16])),
    (grid("seed: 3", "seed: 3\ntuning_metric: accuracy"), (set(), [])),
    (grid("seed: 3", "seed: 3\nmetric: accuracy"), (set(), [])),
], ids=["label of a training row", "random state", "classifier parameter", "single candidate",
        "inner folds that choose nothing", "tuning metric that chooses nothing", "ranking metric"])
def test_with_given_folds_a_change_encodes_for_new_inner_folds_at_most(
    finished, tmp_path, monkeypatch, work, change, expected
):
    again, fits = expected
    folder = copied(finished, "official", tmp_path)
    assert next(line for line in read_rows(folder) if line[0] == "id1")[3:] == ["cat", "train"]
    change(folder, monkeypatch)
    done = work(folder)
    assert Counter(short(cell) for cell, _ in done.results.elements()) == Counter(again)
    assert (done.passes, done.fits) == ([], fits)
    assert work(folder) == NOTHING


def short(cell: str) -> str:
    """Fusion and classifier of a cell's name, without encoders and parameters."""
    names = re.sub(r"\(.*?\)", "", cell).split(" / ")
    return " / ".join(names[-2:])


def test_an_inner_folds_label_learns_only_the_inner_folds_texts_again(
    finished, tmp_path, monkeypatch, work
):
    folder = copied(finished, "official", tmp_path)
    grid("C: [10]", "C: [1, 100]")(folder, monkeypatch)
    assert work(folder).fits == []  # cells of one setting were chosen among on inner folds too
    row("id1", 3, "dog")(folder, monkeypatch)
    done = work(folder)
    assert done.passes == []
    assert set(done.fits) <= {12}
    assert work(folder) == NOTHING


def test_other_rows_in_the_inner_folds_choose_again_also_on_frozen_features(
    finished, tmp_path, monkeypatch, work
):
    folder = copied(finished, "official", tmp_path)
    write_grid(
        folder,
        re.sub(
            "fusion: .*", "fusion: [image_only]", OFFICIAL.replace("C: [10]", "C: [1, 100]")
        ).replace(", {random_forest: {trees: 3}}", ""),
    )
    assert sum(work(folder).results.values()) == 1
    grid("seed: 3", "seed: 4")(folder, monkeypatch)
    done = work(folder)
    assert (sum(done.results.values()), done.passes) == (1, [])
    assert work(folder) == NOTHING


def test_groups_are_an_ingredient_of_models_that_hold_out_whole_groups_only(
    finished, tmp_path, monkeypatch, work
):
    folder = copied(finished, "official", tmp_path)
    rows = read_rows(folder)
    paired = [[*line, f"pair{number // 2}"] for number, line in enumerate(rows)]
    write_rows(folder, paired, "part", "brand")
    write_grid(
        folder,
        re.sub("fusion: .*", "fusion: [image_only, {attention: {epochs: 1}}]", OFFICIAL).replace(
            "id: sku", "id: sku, group: brand"
        ),
    )
    assert sum(work(folder).results.values()) == 1  # image_only is there
    row("id1", 5, "of its own")(folder, monkeypatch)
    assert {short(cell) for cell, _ in work(folder).results} == {"mean_colour + bow / attention"}
    assert work(folder) == NOTHING
