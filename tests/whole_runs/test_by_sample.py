"""Frozen features are kept by sample: what a change encodes, and what an interruption costs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import features
from features.block import Block
from features.encoder import Encoder
from features.encoders.bag_of_words import TermCounts
from pipeline.store import shards
from pipeline.tasks.encoding import shard
from tests.support.tiny import (
    GRID,
    TEXT_GRID,
    MeanColour,
    read_rows,
    register,
    results,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

GRID_OF_FROZEN = GRID.replace("[bow]", "[letters]")


class Letters(Encoder):
    """How often each letter stands in a text; counts its samples."""

    modality: ClassVar = "text"
    version: ClassVar[int] = 1
    forms: ClassVar = {"pooled": None}
    calls: ClassVar[list[int]] = []

    def identity(self):
        return {}

    def transform(self, samples):
        type(self).calls.append(len(samples))
        counts = [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
                  for text in samples]
        return Block.of(np.array(counts, dtype=np.float32).reshape(-1, 26))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    monkeypatch.setitem(features.TEXT_ENCODERS, "letters", Letters)
    monkeypatch.setattr(Letters, "calls", [])
    write_table(tmp_path)
    write_grid(tmp_path, GRID_OF_FROZEN)
    assert run_grid(tmp_path) == 0
    assert encoded() == (36, 36)
    return tmp_path


def encoded():
    """Pictures and texts that were encoded since this was last asked."""
    counts = sum(MeanColour.calls), sum(Letters.calls)
    MeanColour.calls.clear(), Letters.calls.clear()
    return counts


def test_more_rows_encode_no_more_than_themselves(folder):
    rows = read_rows(folder)
    more = [
        [f"new{number}", rows[number][1], f"{rows[number][2]} again", rows[number][3]]
        for number in (0, 13, 26)
    ]
    write_rows(folder, [*rows, *more])
    assert run_grid(folder) == 0
    assert encoded() == (0, 3)  # their pictures are known, their texts are not


def test_a_changed_title_encodes_one_text(folder):
    rows = read_rows(folder)
    rows[5][2] = "another title"
    write_rows(folder, rows)
    assert run_grid(folder) == 0
    assert encoded() == (0, 1)


def test_words_of_a_text_are_counted_once_whatever_texts_come_to_it(tmp_path, monkeypatch):
    """The vocabulary is learned in every fold anew; splitting a text into words learns nothing."""
    register(monkeypatch)
    without_report(monkeypatch)
    counted, transform = [], TermCounts.transform

    def watched(self, samples):
        counted.extend(samples)
        return transform(self, samples)

    monkeypatch.setattr(TermCounts, "transform", watched)
    write_table(tmp_path)
    write_grid(tmp_path, TEXT_GRID)
    assert run_grid(tmp_path) == 0
    rows = read_rows(tmp_path)
    # tfidf counts pairs of words, too
    assert sorted(counted) == sorted(2 * [row[2] for row in rows])
    counted.clear()
    write_rows(tmp_path, [*rows, ["new", "", "whiskers meow zeppelin", "cat"]])
    assert run_grid(tmp_path, out="more") == 0
    assert counted == 2 * ["whiskers meow zeppelin"]
    other = tmp_path / "other"
    other.mkdir()
    write_rows(other, read_rows(tmp_path))
    write_grid(other, TEXT_GRID)
    assert run_grid(other) == 0
    assert results(other) == results(tmp_path, "more")


def test_a_shuffled_table_computes_nothing_at_all(folder, capsys):
    rows = read_rows(folder)
    write_rows(folder, [rows[position] for position in np.random.default_rng(0).permutation(36)])
    capsys.readouterr()
    assert run_grid(folder, out="shuffled") == 0
    assert encoded() == (0, 0)
    assert "results: 0 computed" in capsys.readouterr().err
    assert scores(folder, "shuffled") == scores(folder)


def test_what_a_store_went_through_leaves_no_trace_in_the_scores(folder, tmp_path):
    """Rows that came one by one, and rows that came at once."""
    rows = read_rows(folder)
    write_rows(folder, rows[:30])
    write_grid(folder, GRID_OF_FROZEN)
    assert run_grid(folder, out="fewer") == 0
    fewer = scores(folder, "fewer")
    other = tmp_path / "other"
    other.mkdir()
    for picture in folder.glob("*.png"):
        (other / picture.name).write_bytes(picture.read_bytes())
    write_rows(other, rows[:30])
    write_grid(other, GRID_OF_FROZEN)
    assert run_grid(other) == 0
    assert [
        {name: value for name, value in row.items() if "seconds" not in name} for row in fewer
    ] == [
        {name: value for name, value in row.items() if "seconds" not in name}
        for row in scores(other)
    ]


def test_an_interrupted_encoding_goes_on_where_it_was(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, GRID.replace("image: [mean_colour]", "image: [piecewise]"))
    monkeypatch.setitem(features.IMAGE_ENCODERS, "piecewise", Piecewise)
    monkeypatch.setattr(shard, "SAMPLES", 8)
    put, written = shards.Shards.put, []

    def killed(self, digests, block, *rest):
        if block.is_sparse or self.maker["kind"] != "shard":  # words, and sizes of pictures
            return put(self, digests, block, *rest)
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(digests)
        return put(self, digests, block, *rest)

    monkeypatch.setattr(shards.Shards, "put", killed)
    assert run_grid(tmp_path) == 130
    monkeypatch.setattr(shards.Shards, "put", put)
    MeanColour.calls.clear()
    Piecewise.calls.clear()
    assert run_grid(tmp_path) == 0
    assert sum(Piecewise.calls) == 36 - 2 * 8


class Piecewise(MeanColour):
    """Gives its features in pieces of four."""

    calls: ClassVar[list[int]] = []

    def pieces(self, samples, outputs):
        for start in range(0, len(samples), 4):
            yield {self.output: self.transform(samples[start : start + 4])}
