"""The answer to the question of the run, in one sentence."""

from __future__ import annotations

from reports.analysis.ranking import Comparison, Ranking
from reports.analysis.standing import Standing
from reports.sentences.intervals import between, plus_minus
from reports.wording import chance, figure, metric_label, quoted

_OTHER = {"image": "the text", "text": "the picture"}


def headline(answer: str, ranking: Ranking, gain: Comparison | None) -> str:
    """One sentence that answers the question of the run."""
    single, metric = ranking.best("image", "text"), metric_label(ranking.metric.name)
    if answer == "no result":
        return "No cell has a complete set of scores, so nothing can be compared."
    if gain is None or single is None:
        return _best_alone(ranking)
    added, gain_by, size = _OTHER[single.kind], gain.interval.mean, figure(abs(gain.interval.mean))
    # A gain raises a score of which more is better, and lowers a loss.
    raises = (gain_by > 0) == ranking.metric.greater_is_better
    verb = "changes" if not float(size) else "raises" if raises else "lowers"
    change = f"{verb} {metric} by {size}{_from_to(ranking, gain)}"
    if answer == "half compared":
        return (
            f"Adding {added} {change}, but {added} alone was not compared and may do as well: "
            f"add {_alone(single)} to the grid."
        )
    return {
        "pays": f"Adding {added} pays: it {change}.",
        "costs": f"Adding {added} does not pay: it {change}.",
        "equivalent": f"Adding {added} makes no difference in practice: it {change}.",
        "unclear": f"These folds do not show that adding {added} pays: it {change}.",
        "one fold": (
            f"On the only fold, adding {added} {change}; one fold cannot tell that from chance."
        ),
    }[answer]


def _best_alone(ranking: Ranking) -> str:
    """What is best and how good, where two modalities were not compared with one."""
    best = ranking.best("image", "text", "fusion")
    if best is None:
        return "Only baselines have a complete set of scores, so nothing can be compared."
    missing = "fusion" if ranking.best("fusion") is None else "single modality"
    return (
        f"{quoted(best.cell.name)} is best, with {metric_label(ranking.metric.name)} "
        f"{plus_minus(best.score)}; this run has no {missing} that would say whether a second "
        "modality pays."
    )


def _alone(single: Standing) -> str:
    """What would compare the other modality by itself."""
    other = "text" if single.kind == "image" else "image"
    return f"{other}_only" if single.cell.recognised_by is None else f"recognised_by: {other}"


def _from_to(ranking: Ranking, gain: Comparison) -> str:
    """The two means, and how sure their difference is.

    As in ", from .61 to .74 (95 % interval ...; P(better) .98)".
    """
    means = {standing.cell.name: figure(standing.score.mean) for standing in ranking.ranked()}
    from_to = f", from {means[gain.other]} to {means[gain.cell]}"
    if gain.posterior is None:
        return from_to
    better = gain.posterior.better >= gain.posterior.worse
    which, probability = (
        ("better", gain.posterior.better) if better else ("worse", gain.posterior.worse)
    )
    if gain.posterior.equivalent > probability:
        which, probability = "equivalent", gain.posterior.equivalent
    return (
        f"{from_to} (95 % interval of the gain {between(gain.interval)}; "
        f"P({which}) {chance(probability)})"
    )
