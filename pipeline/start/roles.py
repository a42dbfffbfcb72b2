"""Which column plays which part: the best that is plausible, why, and what else might."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from features.texts.writing_systems import writing_system
from pipeline.data.reading.class_folders import PARTS
from pipeline.data.reading.names import normal
from pipeline.start.column import Column
from pipeline.start.hints import FIRST_TEXT, GROUP, ID, LABEL, MEASURE, TEXT, is_just, is_named
from reports.wording import count

SMALLEST = 5  # rows of a class, so that each of five folds tests one
COVERED = 0.8  # share of labelled rows whose class is as large, of a plausible label
FILLED = 0.5  # share of rows with a label, of a plausible label
FEW = 30  # classes that a person keeps apart; more are plausible, but less so
MOST_CODES = 20  # distinct whole numbers that may be classes without being called so
MOST_TEXTS = 4  # columns that are joined
WORDS = 3  # of a text, where its name says nothing
FEWEST_GROUPS = 10  # below these a run gives no verdict
LARGEST_GROUP = 0.5  # share of rows in one group beyond which folds cannot be even


@dataclass(frozen=True)
class Candidate:
    """A column that may play a part.

    Parameters
    ----------
    score : how well, to be compared within a part.
    why : in words.
    """

    column: Column
    score: float
    why: str


def sizes(column: Column) -> str:
    """The sizes of classes: "7 classes of 149 to 150 rows". What looks the same is one of them."""
    of_class: Counter[str] = Counter()
    for name, rows in column.counts.items():
        of_class[normal(name)] += rows
    least, most = min(of_class.values()), max(of_class.values())
    of_each = count(least, "row") if least == most else f"{least:,} to {most:,} rows"
    return f"{count(len(of_class), 'class', 'classes')} of {of_each}"


# Labels


def labels(columns: Sequence[Column]) -> list[Candidate]:
    """Columns that may be the class, the best first."""
    candidates = list(chain.from_iterable(map(_label, columns)))
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _label(column: Column) -> Iterator[Candidate]:
    named = is_named(column.name, LABEL)
    if not _may_be_label(column, named):
        return
    labelled = column.filled / column.rows
    score = labelled + covered(column)
    score += 3.5 if is_just(column.name, LABEL) else 2.5 if named else 0.0
    score += 1.0 if column.distinct <= FEW else 0.0
    score -= 1.0 if column.kind == "numbers" else 0.0
    score -= 1.5 if is_named(column.name, GROUP | ID) else 0.0
    why = "named like a class" if named else "few values that come again and again"
    yield Candidate(column, score, f"{why}; {sizes(column)}")


def _may_be_label(column: Column, named: bool) -> bool:
    if column.distinct < 2 or column.filled < FILLED * column.rows:
        return False
    if column.kind == "numbers":
        codes = column.is_whole and column.distinct <= MOST_CODES and not _measures(column)
        plausible = (column.is_whole and named) or codes
    else:
        plausible = column.kind == "categories" or (named and column.kind in ("texts", "codes"))
    return plausible and covered(column) >= COVERED


def _measures(column: Column) -> bool:
    return is_named(column.name, MEASURE | ID)


def covered(column: Column) -> float:
    """Share of its rows whose value is that of SMALLEST rows at least; of two in small tables."""
    smallest = SMALLEST if column.filled >= SMALLEST * SMALLEST else 2
    large = sum(size for size in column.counts.values() if size >= smallest)
    return large / max(column.filled, 1)


# Pictures


def pictures(columns: Sequence[Column]) -> list[Candidate]:
    """Columns that hold pictures or seem to name their files, those with most of them first."""
    candidates = [
        Candidate(
            column,
            column.filled + (column.rows if column.holds_pictures else 0),
            f"{count(column.filled, 'row')} with {column.kind}",
        )
        for column in columns
        if column.kind in ("pictures", "picture paths")
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


# Texts


def texts(columns: Sequence[Column]) -> list[Candidate]:
    """Columns of texts, the title first and then as in the table."""
    candidates = list(chain.from_iterable(map(_text, columns)))
    candidates.sort(key=lambda candidate: not is_named(candidate.column.name, FIRST_TEXT))
    return candidates


def _text(column: Column) -> Iterator[Candidate]:
    if column.kind not in ("texts", "categories") or is_named(column.name, ID - TEXT):
        return
    letters = column.share(lambda value: any(map(writing_system, value)))
    named = is_named(column.name, TEXT)
    varied = column.distinct >= max(SMALLEST, column.filled / 10)
    long = column.words >= WORDS and not is_named(column.name, GROUP | LABEL)
    if letters >= FILLED and varied and (long or named):
        why = "named like a text" if named else "several words a row"
        yield Candidate(
            column,
            column.words,
            f"{why}; {count(round(column.words), 'word')} on average, {column.distinct:,} distinct",
        )


# Ids, splits and groups


def ids(columns: Sequence[Column]) -> list[Candidate]:
    """Columns with a value of its own in every row, those that are called an id first."""
    candidates = [
        Candidate(column, is_just(column.name, ID) + is_named(column.name, ID),
                  "a value of its own in every row")
        for column in columns
        if column.is_unique and _may_be_id(column)
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _may_be_id(column: Column) -> bool:
    if is_named(column.name, ID):
        return column.kind in ("codes", "numbers", "texts", "picture paths")
    return column.kind == "codes" or (
        column.numbers_rows and not is_named(column.name, MEASURE)
    )


def splits(columns: Sequence[Column]) -> list[Candidate]:
    """Columns that say of rows whether they are for training or for testing."""
    return [
        Candidate(column, 1, ", ".join(f"{size:,} {part}" for part, size in column.counts.items()))
        for column in columns
        if column.distinct <= len(PARTS) + 2
        and set(PARTS) <= {value.casefold() for value in column.counts}
    ]


def groups(columns: Sequence[Column]) -> list[Candidate]:
    """Columns whose rows belong together, such as those of one brand or patient."""
    candidates = []
    for column in columns:
        if not is_named(column.name, GROUP) or not may_group(column):
            continue
        largest = max(column.counts.values())
        why = f"{column.distinct:,} of them, {count(largest, 'row')} at most"
        candidates.append(Candidate(column, column.filled, why))
    return sorted(candidates, key=lambda candidate: -candidate.score)


def may_group(column: Column) -> bool:
    """Whether rows of one value can be kept together in folds that are still even."""
    if column.kind not in ("categories", "codes", "texts", "numbers"):
        return False
    largest = max(column.counts.values())
    return (
        FEWEST_GROUPS <= column.distinct < column.filled
        and 1 < largest <= LARGEST_GROUP * column.rows
    )


def deciding(values: Sequence[str | None], classes: Sequence[str | None]) -> float:
    """Share of rows that have the most frequent class of their value: 1 where it decides."""
    pairs = Counter(pair for pair in zip(values, classes, strict=True) if None not in pair)
    best: dict[str | None, int] = {}
    for (value, _), size in pairs.items():
        best[value] = max(best.get(value, 0), size)
    return sum(best.values()) / max(pairs.total(), 1)
