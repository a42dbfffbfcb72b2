"""How scores fall when a share of the test rows lacks a modality, or has that of another row."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from reports.analysis.contribution import Change, RobustnessCurve, robustness
from reports.analysis.ranking import Ranking, rank_cells
from reports.analysis.standing import NOUNS, Kind, Standing
from reports.charts.curves import Curve, curves, legend
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure, metric_label

_ALTERED: dict[Change, str] = {"missing": "missing", "swapped": "exchanged"}
_CHANGES: dict[Change, str] = {
    "missing": "marked missing",
    "swapped": "exchanged for another row's",
}


@dataclass(frozen=True)
class FirstRepeat:
    """Why a score here is not the leaderboard's: only the first repeat's folds were asked.

    Parameters
    ----------
    score, folds : of the cell with its rows as they are, on the first repeat's folds.
    all_score, all_folds : the same on all folds, as the leaderboard has it.
    """

    cell: str
    score: float
    folds: int
    all_score: float
    all_folds: int


@dataclass(frozen=True)
class RobustnessFacts:
    """Curves of every probed cell.

    Parameters
    ----------
    drawn : the cells in the chart: the best fusion and single modalities.
    first_repeat : of the first of them; None where there is one repeat only.
    """

    metric: str
    greater_is_better: bool
    shares: tuple[float, ...]
    curves: tuple[RobustnessCurve, ...]
    drawn: tuple[str, ...]
    first_repeat: FirstRepeat | None

    @property
    def altered(self) -> str:
        """What is altered: the only modality, or one of two."""
        nouns = {NOUNS[curve.modality] for curve in self.curves}
        return "one modality" if len(nouns) > 1 else f"the {nouns.pop()}"


def facts(record: RunRecord) -> RobustnessFacts | None:
    """Curves from the second phase; None where nothing was probed."""
    curves = robustness(record)
    if not curves:
        return None
    ranking = rank_cells(record)
    probed = {curve.cell for curve in curves}
    kinds: tuple[Kind, ...] = ("fusion", "image", "text")
    best = [_best_of(ranking.ranked(kind), probed) for kind in kinds]
    shares: set[float] = set()
    shares.update(*({point.share for point in curve.points} for curve in curves))
    drawn = tuple(name for name in best if name)
    return RobustnessFacts(
        ranking.metric.name,
        ranking.metric.greater_is_better,
        tuple(sorted(shares)),
        curves,
        drawn,
        _first_repeat(ranking, curves, drawn[0]) if drawn else None,
    )


def _first_repeat(
    ranking: Ranking, curves: Sequence[RobustnessCurve], cell: str
) -> FirstRepeat | None:
    """The cell's score as it is, here and in the leaderboard; None where they are the same."""
    repeats = {repeat for repeat, _ in ranking.folds}
    if len(repeats) < 2:
        return None
    whole = next(curve.points[0] for curve in curves if curve.cell == cell)
    standing = next(entry for entry in ranking.standings if entry.cell.name == cell)
    folds = sum(repeat == min(repeats) for repeat, _ in ranking.folds)
    return FirstRepeat(cell, whole.score.mean, folds, standing.score.mean, len(ranking.folds))


def _best_of(standings: Sequence[Standing], probed: Container[str]) -> str | None:
    """The first of them that was probed."""
    names = (standing.cell.name for standing in standings)
    return next((name for name in names if name in probed), None)


def charts(robust: RobustnessFacts) -> dict[str, Chart]:
    """One chart for each change, coloured by the modality that is altered."""
    drawn = {}
    for change, words in _CHANGES.items():
        shown = [
            curve
            for curve in robust.curves
            if curve.change == change and curve.cell in robust.drawn
        ]
        if shown:
            drawn[f"robustness-{change}"] = _chart(shown, words, metric_label(robust.metric))
    return drawn


def _chart(shown: list[RobustnessCurve], words: str, metric: str) -> Chart:
    lines = [
        Curve(
            f"{curve.cell}: {NOUNS[curve.modality]} {_ALTERED[curve.change]}",
            curve.modality,
            [(point.share, point.score.mean, None, None) for point in curve.points],
        )
        for curve in shown
    ]
    falls = "; ".join(
        f"{clean(curve.cell)} with every {NOUNS[curve.modality]} {words}: "
        f"{figure(curve.points[0].score.mean)} to {figure(curve.points[-1].score.mean)}"
        for curve in shown
    )
    return Chart(
        curves(lines, "share of test rows altered", metric),
        f"{metric} by share of rows altered. {falls}.",
        _caption({curve.modality for curve in shown}, words),
        legend(lines),
    )


def _caption(modalities: set[str], words: str) -> str:
    if len(modalities) > 1:
        return f"Blue circles: the picture is {words}; orange squares: the text."
    (modality,) = modalities
    return f"In the altered rows the {NOUNS[modality]} is {words}."


SECTION = Section("Robustness", facts, charts)
