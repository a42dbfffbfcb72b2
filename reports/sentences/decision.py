"""What decided the answer, how steady it is and what would settle it, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reports.analysis.procedures import Pool, Procedure
from reports.analysis.ranking import Ranking
from reports.answer.rules import Judged
from reports.answer.verdict import Verdict
from reports.sentences import one_modality
from reports.sentences.intervals import between
from reports.sentences.not_chosen import not_chosen
from reports.wording import count, listed, metric_label, quoted, signed

ANSWERS: dict[Judged, str] = {
    "pays": "adding a modality pays",
    "probably pays": "it probably pays",
    "no difference shown": "no difference is shown",
    "no difference that matters": "it makes no difference that matters",
    "costs": "it does harm",
}


def decision(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """In order: the comparison behind the answer, its steadiness, what would settle it."""
    yield from compared(verdict)
    yield from steadiness(verdict, ranking)


def compared(verdict: Verdict) -> Iterator[str]:
    """Which cells the gain compares, and how often it is one."""
    both, single = verdict.procedures.get("both"), verdict.procedures.get("single")
    if verdict.gain is None or both is None or single is None:
        return
    folds = count(verdict.gain.interval.folds, "fold")
    chosen = len(both.candidates) > 1 or len(single.candidates) > 1
    how = ", chosen on the inner folds of every outer fold" if chosen else ""
    yield (
        f"The gain compares {_pool(both)}, with {_pool(single)}{how}. It is above zero on "
        f"{verdict.gain.ahead} of {folds}."
    )


def steadiness(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    """Whether pairs of repeats and a second metric agree, and what would settle the matter."""
    if verdict.answer == "one modality":
        yield from one_modality.steadiness(verdict, ranking)
    yield from _agreement(verdict)
    yield from _second(verdict, ranking)
    yield from _settling(verdict, ranking)


def left_out(verdict: Verdict) -> Iterator[str]:
    """Which cells could not be chosen, and why."""
    failed: dict[str, None] = {}
    behind: dict[str, None] = {}
    for choosing in verdict.procedures.values():
        failed |= dict.fromkeys(choosing.failed)
        behind |= dict.fromkeys(choosing.left_out)
    far = [name for name in behind if name not in failed]
    yield from not_chosen("cell", "fitted", far, list(failed))


def _pool(procedure: Procedure) -> str:
    modalities: dict[Pool, str] = {
        "both": "with both modalities", "single": "with one modality", "all": "of any kind"
    }
    which = modalities[procedure.pool]
    if len(procedure.candidates) == 1:
        return f"the only cell {which}, {quoted(procedure.candidates[0])}"
    name, number = procedure.favourite
    return (
        f"the best of {len(procedure.candidates)} cells {which} (most often {quoted(name)}: "
        f"{number} of {len(procedure.chosen)})"
    )


def _agreement(verdict: Verdict) -> Iterator[str]:
    agreement, answer = verdict.agreement, verdict.answer
    if agreement is None or answer not in ANSWERS:
        return
    differing, pairs = agreement.differing(answer), len(agreement.answers)
    if not differing:
        every = "the pair" if pairs == 1 else f"each of the {pairs} pairs"
        yield f"Steady: {every} of repeats, taken alone, gives the same answer."
        return
    times = Counter(agreement.answers)
    del times[answer]
    others = listed(f"“{ANSWERS[other]}” ({number})" for other, number in times.items())
    yield (
        f"Of {count(pairs, 'pair')} of repeats, taken alone, {differing} would have reached "
        f"another answer: {others}."
    )


def _second(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    if verdict.second is None:
        return
    name, gain = metric_label(verdict.second.metric.name), verdict.second.gain
    figures = f"{signed(gain.interval.mean)} ({between(gain.interval)})"
    if verdict.disagree:
        yield (
            f"By {name} the same choices come to another answer: a gain of {figures}, by which "
            f"{ANSWERS[verdict.second.answer]}. {_why(name, metric_label(ranking.metric.name))}"
            "ecide by which mistakes cost you more."
        )
    else:
        yield f"By {name} the gain is {figures}, which agrees."


def _why(second: str, first: str) -> str:
    """What tells an average over classes from one over rows; "d" or "D" of the word to follow."""
    macro = [name for name in (second, first) if name.startswith(("macro", "balanced"))]
    if len(macro) == 1:
        return f"It weighs every {'class' if second in macro else 'row'} alike: d"
    return "D"


def _settling(verdict: Verdict, ranking: Ranking) -> Iterator[str]:
    settling = verdict.settling
    if settling is None:
        return
    if settling.repeats is not None:
        yield f"Should the gain stay as it is, `repeats: {settling.repeats}` would settle it."
        return
    if settling.times is None or settling.units is None:
        yield (
            "No number of repeats would settle it, nor would a hundred times as many "
            f"{ranking.unit_names[1]}: take what is simpler or cheaper."
        )
        return
    repeats = len({repeat for repeat, _ in ranking.folds})
    drawn = "" if settling.drawn == repeats else f" with `repeats: {settling.drawn}`"
    yield (
        f"Should the gain stay as it is, about {count(settling.units, *ranking.unit_names)}{drawn} "
        f"({settling.times:.1f} times the {ranking.units:,} there are) would settle it; more "
        "repeats alone would not."
    )
