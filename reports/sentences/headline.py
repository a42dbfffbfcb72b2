"""The answer to the question of the run, in one sentence."""

from __future__ import annotations

from reports.analysis.procedures import Pool
from reports.analysis.ranking import Comparison, Ranking
from reports.analysis.standing import Kind, Standing
from reports.answer.rules import DIRECTION
from reports.answer.verdict import Verdict
from reports.sentences import one_modality
from reports.sentences.intervals import between, plus_minus
from reports.wording import chance, count, metric_label, quoted, signed

_OTHER: dict[Kind, str] = {"image": "the text", "text": "the picture"}
NAMES_OF_POOLS: dict[Pool, str] = {"both": "both modalities", "single": "one modality"}


def headline(verdict: Verdict, ranking: Ranking) -> str:
    """What answers the question of the run, in a line where the run has an answer."""
    if verdict.answer == "not reached":
        return (
            "The time did not suffice for an answer: too little is whole to say "
            f"{'which cell is best' if ranking.modality else 'whether a second modality pays'}. "
            "The same command goes on from here."
        )
    if verdict.answer == "no result":
        return "No cell has a complete set of scores, so nothing can be compared."
    if verdict.answer == "one modality":
        return one_modality.headline(verdict, ranking)
    if verdict.answer == "not compared":
        return _best_alone(ranking)
    if verdict.gain is None:
        lacking = [name for pool, name in NAMES_OF_POOLS.items() if pool not in verdict.procedures]
        pools = " and none with ".join(lacking)
        return (
            f"No cell with {pools} could be scored on the inner folds, so nothing can be said of "
            "what choosing among them gets: see the warnings."
        )
    added, change = added_modality(verdict, ranking), _change(verdict.gain, ranking)
    return {
        "pays": f"Adding {added} pays: {change}",
        "probably pays": f"Adding {added} probably pays: {change}",
        "costs": f"Adding {added} does not pay: {change}",
        "no difference that matters": f"Adding {added} makes no difference that matters: {change}",
        "no difference shown": f"Not shown that adding {added} pays: {change}",
        "one fold": _only_fold(verdict, added, change),
        "few units": f"Adding {added} on only {count(ranking.units, *ranking.unit_names)}: "
        f"{change}, which so few cannot tell from chance",
        "half compared": _half_compared(added, change, ranking),
    }[verdict.answer]


def evidence(verdict: Verdict, ranking: Ranking) -> str | None:
    """The interval and the probability that decide the answer; None where none decides."""
    if verdict.answer == "one modality":
        return one_modality.evidence(verdict, ranking)
    if verdict.over_test_rows is not None and verdict.over_test_rows.low is not None:
        drawn = "groups of test rows" if verdict.over_test_rows.grouped else "test rows"
        return (
            f"95 % interval of the gain {between(verdict.over_test_rows)} over other {drawn}; what "
            "other training rows would change, one fold does not tell"
        )
    gain = verdict.gain
    if gain is None or gain.posterior is None or gain.positive is None:
        return None
    if verdict.answer not in DIRECTION:
        return None
    probability = f"P(gain above 0) {chance(gain.positive)}"
    if verdict.answer == "no difference that matters":
        rope = f"{gain.posterior.rope:g}"
        probability = f"P(less than {rope} either way) {chance(gain.posterior.equivalent)}"
    return f"95 % interval of the gain {between(gain.interval)}; {probability}"


def added_modality(verdict: Verdict, ranking: Ranking) -> str:
    """What a fusion adds to the single modality that the inner folds choose."""
    kinds = {standing.cell.name: standing.kind for standing in ranking.standings}
    single = verdict.procedures.get("single")
    chosen = {kinds[name] for name in single.chosen.values()} if single else set()
    return _OTHER[chosen.pop()] if len(chosen) == 1 else "a second modality"


def _only_fold(verdict: Verdict, added: str, change: str) -> str:
    """What one fold says, where other test rows would say the same."""
    rows = verdict.over_test_rows
    if rows is None or rows.low is None or rows.high is None:
        return f"Adding {added} on the only fold: {change}, which one fold cannot tell from chance"
    if rows.low > 0:
        return f"Adding {added} pays on the only fold: {change}"
    if rows.high < 0:
        return f"Adding {added} does not pay on the only fold: {change}"
    return f"Not shown on the only fold that adding {added} pays: {change}"


def _half_compared(added: str, change: str, ranking: Ranking) -> str:
    single = ranking.best("image", "text")
    if single is None:
        advice = ""
    elif any(standing.kind == _other_kind(single) for standing in ranking.standings):
        advice = ": it failed, or lacks folds (see the failures)"
    else:
        advice = f": add {_alone(single)} to the grid"
    return (
        f"Adding {added}: {change}; but {added} alone was not compared and may do as well{advice}"
    )


def _best_alone(ranking: Ranking) -> str:
    """What is best and how good, where two modalities were not compared with one."""
    best = ranking.best("image", "text", "fusion")
    if best is None:
        return "Only baselines have a complete set of scores, so nothing can be compared."
    missing = "fusion" if ranking.best("fusion") is None else "single modality"
    kinds: tuple[Kind, ...] = ("fusion",) if missing == "fusion" else ("image", "text")
    failed = any(standing.kind in kinds for standing in ranking.standings)
    has = "complete scores of no" if failed else "no"
    return (
        f"{quoted(best.cell.name)} is best, with {metric_label(ranking.metric.name)} "
        f"{plus_minus(best.score)}; this run has {has} {missing} that would say whether a second "
        "modality pays."
    )


def _alone(single: Standing) -> str:
    """What would compare the other modality by itself."""
    other = _other_kind(single)
    return f"{other}_only" if single.cell.recognised_by is None else f"recognised_by: {other}"


def _other_kind(single: Standing) -> Kind:
    return "text" if single.kind == "image" else "image"


def _change(gain: Comparison, ranking: Ranking) -> str:
    """What adding the modality does to the score, as in "+0.054 balanced accuracy".

    A gain raises a score of which more is better, and lowers a loss.
    """
    raised = gain.interval.mean if ranking.metric.greater_is_better else -gain.interval.mean
    return f"{signed(raised)} {metric_label(ranking.metric.name)}"
