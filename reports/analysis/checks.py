"""Method checks: what in a run's figures should make a reader doubt the method."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reports.fold_record import CellRecord, FoldRecord
from reports.record import ScoredRecord
from reports.wording import count, figure, first_listed, listed, quoted
from reports.work_record import EncodedRecord

# Statistics are imported where records are checked: what is said before the first fit, and by a run
# whose results are all stored, needs none.
if TYPE_CHECKING:
    from reports.analysis.ranking import Ranking
    from reports.analysis.standing import Kind, Standing

NEAR_PERFECT = 0.98
SHOWN = 5
UNREAD = 0.05  # share of samples of which an encoder lacks something
# What encoders count that they did not read, and what helps.
REMEDIES = {
    "texts cut off": "take a model that reads more of each text, or put what matters first",
    "texts without a known term": "lower min_df or raise max_df, where they leave terms out, or "
    "take an encoder that knows words from elsewhere",
    "texts without a known word": "take other vectors, or vectors: train",
}


@dataclass(frozen=True)
class Check:
    """One doubt, in a sentence that holds its evidence.

    `severe` where the verdict may be worthless for it; `bears` where it changes, all the same, what
    one should conclude: it then stands near the answer, as `gist` where that says it in plainer
    words.
    """

    name: str
    sentence: str
    severe: bool = False
    bears: bool = False
    gist: str = ""


def checks(record: ScoredRecord) -> tuple[Check, ...]:
    """Every doubt that the record itself raises, severe ones first."""
    from reports.analysis.ranking import rank_cells

    ranking = rank_cells(record)
    doubts = [
        *_near_perfect(record, ranking),
        *_majority(ranking),
        *_edges(record, ranking),
        *_identical(record),
    ]
    return severe_first(doubts)


def severe_first(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The severe ones before the others, each in their order."""
    return tuple(sorted(checks, key=lambda check: not check.severe))


def encoding_checks(encoded: Iterable[EncodedRecord]) -> tuple[Check, ...]:
    """What encoders did not read of the samples, where that is much."""
    return tuple(
        Check(
            "not read",
            f"{entry.encoder}: {entry.counts[noun]:,.0f} of {entry.samples:,} {noun}: {remedy}.",
            bears=True,
        )
        for entry, (noun, remedy) in itertools.product(encoded, REMEDIES.items())
        if entry.counts.get(noun, 0) > UNREAD * entry.samples
    )


def _near_perfect(record: ScoredRecord, ranking: Ranking) -> Iterator[Check]:
    nouns: dict[Kind, str] = {"text": "text", "image": "picture"}
    for kind, noun in nouns.items():
        best = max(ranking.ranked(kind), key=_accuracy, default=None)
        if best and _accuracy(best) >= NEAR_PERFECT:
            yield Check(
                "near-perfect",
                f"The {noun} alone all but gives the class away: {quoted(best.cell.name)} is right "
                f"on {100 * _accuracy(best):.1f} % of the test rows. Make sure that the {noun} "
                f"does not name the class and that no {noun} of a test row, or one made from it, "
                "was seen in training.",
                severe=kind == "text",
                bears=True,
            )


def _accuracy(standing: Standing) -> float:
    return standing.mean_of("accuracy")


def _majority(ranking: Ranking) -> Iterator[Check]:
    baseline = ranking.best("baseline")
    if baseline is None:
        return
    weak = []
    for standing in ranking.ranked("image", "text", "fusion"):
        gain = ranking.compare(standing, baseline)
        if gain is not None and not gain.is_clear:
            weak.append(standing.cell.name)
    if weak:
        yield Check(
            "no better than the majority",
            f"{count(len(weak), 'cell is', 'cells are')} not clearly better than the baseline "
            f"{quoted(baseline.cell.name)} ({figure(baseline.score.mean)}): {_some(weak)}.",
            severe=len(weak) == len(ranking.ranked("image", "text", "fusion")),
        )


def _edges(record: ScoredRecord, ranking: Ranking) -> Iterator[Check]:
    """Parameters at an end of the grid's range, on half of the folds or more, in cells that matter.

    These are the cells that the choices on inner folds take most often, and the best.
    """
    from reports.analysis.procedures import procedures

    matter = {choosing.favourite[0] for choosing in procedures(record).values()}
    best = ranking.best("image", "text", "fusion")
    matter |= set() if best is None else {best.cell.name}
    # What late fusion combines is chosen in its parts.
    parts = {standing.cell.name: standing.cell.parts for standing in ranking.ranked()}
    matter |= set(itertools.chain.from_iterable(parts.get(name, ()) for name in matter))
    on_edges = []
    tuned = [standing for standing in ranking.ranked() if not standing.cell.parts]
    for standing in (other for other in tuned if other.cell.name in matter):
        entries = list(standing.folds.values())
        for name, values in standing.cell.candidates:
            at = _edge(name, values, entries)
            if at is not None:
                value, number = at
                end = "largest" if value == max(values) else "smallest"
                on_edges.append(
                    f"the {name} of {quoted(standing.cell.name)} is {value:g}, the {end} of "
                    f"{listed(f'{candidate:g}' for candidate in sorted(values))}, on {number} of "
                    f"{count(len(entries), 'fold')}"
                )
    if on_edges:
        yield Check(
            "edge of the range",
            f"Inner folds choose what stands at the end of the grid's range: {'; '.join(on_edges)}."
            " Widen the range, or leave it out of the grid: it is then widened where that helps.",
            bears=True,
            gist="The best cells may be worth more than is shown: "
            f"{count(len(on_edges), 'parameter of theirs is', 'parameters of theirs are')} chosen "
            "at the end of the grid's range.",
        )


def _edge(
    name: str, values: tuple[object, ...], entries: list[FoldRecord]
) -> tuple[float, int] | None:
    numbers = [
        value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) < 2 or len(numbers) < len(values):
        return None
    chosen = Counter(entry.parameters.get(name) for entry in entries)
    value = max((min(numbers), max(numbers)), key=lambda end: chosen[end])
    return (float(value), chosen[value]) if 2 * chosen[value] >= len(entries) else None


def _identical(record: ScoredRecord) -> Iterator[Check]:
    """Cells that give the same probabilities to every row of every fold."""
    same: dict[bytes, list[CellRecord]] = {}
    folds: dict[str, list[FoldRecord]] = {}
    for fold in record.folds:
        folds.setdefault(fold.cell, []).append(fold)
    for cell in (cell for cell in record.cells if cell.name in folds and (cell.image or cell.text)):
        ordered = sorted(folds[cell.name], key=lambda fold: (fold.repeat, fold.fold))
        same.setdefault(
            b"".join(np.round(fold.probabilities, 9).tobytes() for fold in ordered), []
        ).append(cell)
    for cells in same.values():
        if len(cells) > 1:
            yield Check(
                "identical",
                f"{count(len(cells), 'cell')} predict exactly the same on every row: "
                f"{_some([cell.name for cell in cells])}. "
                "What tells them apart has no effect here.",
            )


def _some(names: list[str]) -> str:
    return first_listed([quoted(name) for name in names], SHOWN)
