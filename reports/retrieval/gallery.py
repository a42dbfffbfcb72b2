"""Single queries of the best space: what it finds, and the nearest wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.retrieval.answer import WAY_NAMES, answer_of
from reports.retrieval_record import DIRECTIONS, Direction, QueriesRecord, RetrievalRecord
from reports.section import Section

CASES = 3  # of each kind and direction: with six pictures each, the page stays small
FEW = 10  # a rank up to which a right answer is near


@dataclass(frozen=True)
class Answer:
    """One of the best candidates: a row of the data set that has it, and whether it is right."""

    row: int
    id: str
    text: str | None
    right: bool


@dataclass(frozen=True)
class Case:
    """A query by a row that has it, the rank of its best right answer, and its nearest."""

    row: int
    id: str
    text: str | None
    rank: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Kind:
    """Queries of one kind: how many there are, and some of them."""

    title: str
    meaning: str
    count: int
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Part:
    """One direction; `shows` is what its candidates are."""

    way: Direction
    title: str
    queries: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class GalleryFacts:
    """Queries of the best cell, of the fold that is drawn first."""

    cell: str
    parts: tuple[Part, ...]


def facts(record: RetrievalRecord) -> GalleryFacts | None:
    """Queries of each kind; None without a complete cell."""
    answer = answer_of(record)
    if not answer.standings:
        return None
    name = answer.standings[0].name
    fold = next(fold for fold in record.folds if fold.cell == name)
    return GalleryFacts(
        name,
        tuple(
            Part(
                way,
                WAY_NAMES[way],
                len(fold.queries[way].rows),
                tuple(_kinds(record, way, fold.queries[way])),
            )
            for way in DIRECTIONS
        ),
    )


def _kinds(record: RetrievalRecord, way: Direction, queries: QueriesRecord) -> Iterator[Kind]:
    """Found at once, nearly found, and far off; each drawn or ordered so that it shows most."""
    drawn = np.random.default_rng(record.seed).permutation(len(queries.rows))
    first = queries.first[drawn]
    at_once, far = drawn[first == 1], drawn[np.argsort(-first, kind="stable")]
    nearly = drawn[(first > 1) & (first <= FEW)]
    kinds: list[tuple[str, str, NDArray[np.int64]]] = [
        ("Found at once", "the nearest is right; drawn at random", at_once),
        (
            "Nearest wrong answers",
            f"the right one is among the {FEW} best, behind a wrong one; drawn at random",
            nearly,
        ),
        (
            "Far off",
            f"no right one among the {FEW} best; the farthest first",
            far[queries.first[far] > FEW],
        ),
    ]
    right = _right_pairs(record)
    for title, meaning, chosen in kinds:
        cases = [_case(record, way, queries, int(position), right) for position in chosen[:CASES]]
        yield Kind(title, meaning, len(chosen), tuple(cases))


def _right_pairs(record: RetrievalRecord) -> frozenset[tuple[int, int]]:
    """Distinct pictures and texts that any row has together."""
    pairs = zip(record.samples["image"].tolist(), record.samples["text"].tolist(), strict=True)
    return frozenset(pairs)


def _case(
    record: RetrievalRecord,
    way: Direction,
    queries: QueriesRecord,
    position: int,
    right: frozenset[tuple[int, int]],
) -> Case:
    row = int(queries.rows[position])
    nearest: Sequence[int] = queries.nearest[position].tolist()
    image, text = record.samples["image"], record.samples["text"]
    answers = []
    for candidate in nearest:
        pictured, written = (candidate, row) if way == "text_to_image" else (row, candidate)
        is_right = (int(image[pictured]), int(text[written])) in right
        answers.append(
            Answer(candidate, record.ids[candidate], record.texts[candidate], is_right)
        )
    rank = int(queries.first[position])
    return Case(row, record.ids[row], record.texts[row], rank, tuple(answers))


SECTION = Section("What it finds", facts)
