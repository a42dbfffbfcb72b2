"""Runs with encoders that share a space: pictures and texts as colours, and a small CLIP."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

import features
from features.block import Block, Form, Modality
from features.encoder import Encoder
from pipeline.config.grid import GridError
from pipeline.config.parse import read_grid
from pipeline.plan.plan import make_plan
from tests.support.comparisons import comparison_of
from tests.support.random_pair import random_pair
from tests.support.samples import png
from tests.support.tiny import (
    MeanColour,
    register,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_rows,
)
from tests.whole_runs.test_unseen_classes import COLOURS

PER_COLOUR = 4
RETRIEVAL = """
name: colours
task: retrieval
data: {source: table, path: items.csv, image: picture, text: words}
split: {folds: 3, repeats: 1, inner: 2}
image: [mean_colour, seen]
text: [bow, said]
fusion: [text_space, shared]
"""
UNSEEN = """
name: colours
data: {source: table, path: items.csv, image: picture, text: words, label: kind, id: sku}
split: {folds: 3, repeats: 1, inner: 2, unseen_classes: true}
image: [seen]
text: [said]
fusion: [zero_shot, {zero_shot: {space: text}}]
"""
FUSIONS = """
fusion:
  - text_only
  - concat
  - attention: {epochs: 1}
  - shared: {direction: text_to_image}
"""


class Seen(MeanColour):
    """The mean colour of a picture, between -1 and 1."""

    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled"}

    @property
    def shared_space(self) -> str:
        return "colours"

    def transform(self, samples: Sequence[bytes]) -> Block:
        return Block.of(2 * super().transform(samples).values - 1)


class Said(Encoder):
    """The mean colour that a text names, between -1 and 1."""

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1

    @property
    def shared_space(self) -> str:
        return "colours"

    def transform(self, samples: Sequence[str]) -> Block:
        named = [[COLOURS[word] for word in text.split() if word in COLOURS] for text in samples]
        means = [np.mean(colours or [(128, 128, 128)], axis=0) for colours in named]
        return Block.of(np.asarray(means, dtype=np.float32).reshape(-1, 3) / 127.5 - 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    register(monkeypatch)
    without_report(monkeypatch)
    monkeypatch.setitem(features.IMAGE_ENCODERS, "seen", Seen)
    monkeypatch.setitem(features.TEXT_ENCODERS, "said", Said)
    rows = []
    for row, (colour, number) in enumerate(itertools.product(COLOURS, range(PER_COLOUR))):
        (tmp_path / f"{row}.png").write_bytes(png(row, COLOURS[colour]))
        rows.append([f"id{row}", f"{row}.png", f"{colour} item{number}", colour])
    write_rows(tmp_path, rows)
    return tmp_path


def test_a_space_that_is_there_finds_pictures_with_nothing_learned(folder: Path):
    write_grid(folder, RETRIEVAL)
    assert run_grid(folder) == 0
    rows = scores(folder)
    # crossed with all encoders where the space is learned, with the pair alone where it is there
    cells = {row["cell"] for row in rows}
    assert len(cells) == 4 + 1
    assert "seen + said / shared" in cells
    shared = [row for row in rows if row["cell"] == "seen + said / shared"]
    assert min(float(row["hit_at_5"]) for row in shared) > 0.95


def test_its_ranks_do_not_depend_on_the_training_rows(folder: Path):
    """Whatever else stands in the table, each fold's pictures and texts are compared as before."""
    write_grid(folder, RETRIEVAL.replace("[text_space, shared]", "[shared]"))
    assert run_grid(folder) == 0
    for row in pq.read_table(folder / "out" / "ranks.parquet").to_pylist():
        assert row["first_rank"] <= PER_COLOUR, "its own colour comes first"


def test_classes_never_seen_are_recognised_in_the_space_that_is_there(folder: Path):
    path = write_grid(folder, UNSEEN)
    plan = make_plan(comparison_of(path))
    spaces = {unit.cell.name: unit.estimator.space for unit in plan.units}
    assert spaces == {
        "seen + said / zero_shot": "shared", "seen + said / zero_shot(text)": "text"
    }
    assert run_grid(folder) == 0
    means = [float(row["balanced_accuracy"]) for row in scores(folder)
             if row["cell"] == "seen + said / zero_shot"]
    assert np.mean(means) > 0.95


def test_other_encoders_learn_the_space_as_before(folder: Path):
    path = write_grid(folder, UNSEEN.replace("[seen]", "[mean_colour]"))
    assert {unit.estimator.space for unit in make_plan(comparison_of(path)).units} == {"text"}


@pytest.mark.parametrize("fusion", ["shared", "{zero_shot: {space: shared}}"])
def test_encoders_without_a_common_space_are_a_mistake_of_the_grid(folder: Path, fusion: str):
    grid = RETRIEVAL if fusion == "shared" else UNSEEN
    grid = grid.replace("fusion: [", f"fusion: [{fusion}, ").replace("text_space, shared", "cca")
    path = write_grid(folder, grid.replace("said]", "tfidf]"))
    with pytest.raises(GridError) as error:
        read_grid(path)
    (problem,) = error.value.problems
    assert "tfidf share no space: list a pair of encoders under both" in problem
    assert "(pairs: clip)" in problem


def test_a_folder_of_a_pair_is_compared_in_every_way(folder: Path):
    """Through the library, from the grid's folder: what it predicts is of random weights."""
    random_pair(folder / "pair")
    clip = "[{clip: {model: ./pair}}]"
    grid = UNSEEN.replace("[seen]", clip).replace("[said]", clip)
    grid = grid.replace(", unseen_classes: true", "")
    write_grid(folder, grid.partition("fusion:")[0] + FUSIONS)
    assert run_grid(folder) == 0
    rows = scores(folder)
    assert len({row["cell"] for row in rows}) == 4
    assert all(0 <= float(row["balanced_accuracy"]) <= 1 for row in rows)
    write_grid(folder, RETRIEVAL.replace("[mean_colour, seen]", clip).replace("[bow, said]", clip))
    assert run_grid(folder, out="retrieval") == 0
    assert len({row["cell"] for row in scores(folder, "retrieval")}) == 2
