"""Which cell to choose, why, and what to expect of it, in sentences."""

from __future__ import annotations

from reports.analysis.ranking import Ranking
from reports.answer.choice import Choice
from reports.answer.verdict import Verdict
from reports.sentences.headline import added_modality
from reports.sentences.intervals import ends, plus_minus
from reports.wording import count, figure, metric_label, quoted


def chosen(choice: Choice, verdict: Verdict, ranking: Ranking) -> str:
    """The cell in a line, with what to expect; the best one where nothing was chosen among several.

    Examples
    --------
    “tfidf / concat / ridge”, which inner folds choose on 4 of 5. Expect accuracy 0.670.
    """
    name, label = quoted(choice.standing.cell.name), metric_label(ranking.metric.name)
    since = f"since {because(verdict, ranking)}" if choice.simpler else ""
    if not choice.among_several or choice.score is None:
        folds = count(len(ranking.folds), "fold")
        score = f"{label} {plus_minus(choice.standing.score)} over {folds}"
        return f"{name}, {since}: {score}." if since else f"{name}, best with {score}."
    expect = f"Expect {_expected(choice, ranking)}."
    if not _stands_out(choice):
        which = "No cell with one modality" if since else "No cell"
        end = f" One modality, {since}." if since else ""
        return (
            f"{which} stands out; best on these folds is {name}, which inner folds choose on "
            f"{_times(choice)}. {expect}{end}"
        )
    if since:
        return f"{name}, {since}; inner folds choose it on {_times(choice)}. {expect}"
    return f"{name}, which inner folds choose on {_times(choice)}. {expect}"


def behind(choice: Choice, verdict: Verdict, ranking: Ranking) -> str | None:
    """What the cell is worth, and by whose choice; None without a choice among several."""
    if not choice.among_several or choice.choosing is None or choice.score is None:
        return None
    name, label = quoted(choice.standing.cell.name), metric_label(ranking.metric.name)
    with_one = " with one modality" if choice.simpler else ""
    cells = f"{count(len(choice.choosing.candidates), 'cell')}{with_one}"
    if not _stands_out(choice):
        favourite, number = choice.choosing.favourite
        interval = "" if choice.score.low is None else f" ({ends(choice.score)})"
        return (
            f"Best on these folds{' of those' + with_one if with_one else ''} is {name}, but inner "
            f"folds choose it on only {_times(choice)} folds (most often {quoted(favourite)}, on "
            f"{number}): no cell stands out. Choosing among {cells} reaches {label} "
            f"{figure(choice.score.mean)}{interval}."
        )
    since = f", since {because(verdict, ranking)}" if choice.simpler else ""
    best = "the best of them all" if not with_one else "the best of these"
    return (
        f"Take {name}{since}. What to expect of it is {_expected(choice, ranking)}: what choosing "
        f"among {cells} on inner folds reaches, which choose it on {_times(choice)} folds. Its own "
        f"{figure(choice.standing.score.mean)} is {best} on the folds that score it."
    )


def why(choice: Choice, verdict: Verdict, ranking: Ranking) -> str:
    """Why this cell, as what follows its name: for programs, and for who makes a bundle of it."""
    if choice.simpler:
        return f"the best with one modality, since {because(verdict, ranking)}"
    score = f"{metric_label(ranking.metric.name)} {figure(choice.standing.score.mean)}"
    cells = len(ranking.ranked("image", "text", "fusion"))
    return f"the {f'best of {cells} cells' if cells > 1 else 'only cell'}, {score}"


def because(verdict: Verdict, ranking: Ranking) -> str:
    """Why one modality is enough."""
    added = added_modality(verdict, ranking)
    if verdict.answer == "costs":
        return f"{added} does harm"
    if verdict.answer == "no difference that matters":
        return f"{added} makes no difference that matters"
    return f"{added} is not shown to bring more than the {ranking.metric.rope:g} that matters"


def _stands_out(choice: Choice) -> bool:
    """Whether inner folds choose it on half of the folds at least."""
    folds = 0 if choice.choosing is None else len(choice.choosing.chosen)
    return 2 * choice.times >= folds


def _times(choice: Choice) -> str:
    folds = 0 if choice.choosing is None else len(choice.choosing.chosen)
    return f"{choice.times} of {folds}"


def _expected(choice: Choice, ranking: Ranking) -> str:
    assert choice.score is not None
    interval = "" if choice.score.low is None else f" (95 % interval {ends(choice.score)})"
    return f"{metric_label(ranking.metric.name)} {figure(choice.score.mean)}{interval}"
