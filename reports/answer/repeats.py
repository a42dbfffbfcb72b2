"""How steady an answer is: what fewer repeats of the same run would have said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from reports.analysis.procedures import Procedure
from reports.analysis.ranking import Ranking
from reports.answer.rules import Judged, judged
from reports.fold_record import FoldKey

FEWEST_REPEATS = 3  # of two, the only pair is the run itself


@dataclass(frozen=True)
class Agreement:
    """The answers that each two repeats of the folds, taken alone, would have given."""

    answers: tuple[Judged, ...]

    def differing(self, answer: Judged) -> int:
        """Number of pairs of repeats that would have given another answer."""
        return sum(other != answer for other in self.answers)


def agreement(ranking: Ranking, both: Procedure, single: Procedure) -> Agreement | None:
    """Answers of all pairs of repeats; None for fewer than three repeats."""
    repeats = sorted({repeat for repeat, _ in ranking.folds})
    if len(repeats) < FEWEST_REPEATS:
        return None
    answers = [
        _answer(ranking, [key for key in ranking.folds if key[0] in pair], both, single)
        for pair in combinations(repeats, 2)
    ]
    return Agreement(tuple(answer for answer in answers if answer is not None))


def _answer(
    ranking: Ranking, folds: Sequence[FoldKey], both: Procedure, single: Procedure
) -> Judged | None:
    gain = replace(ranking, folds=tuple(folds)).compare(both.standing, single.standing)
    return None if gain is None or gain.test is None else judged(gain)
