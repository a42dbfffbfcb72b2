"""The answer to the question of the run, in one sentence."""

from __future__ import annotations

from reports.analysis.ranking import Comparison, Ranking
from reports.analysis.standing import Standing
from reports.sentences.intervals import between
from reports.wording import chance, figure, metric_label

_OTHER = {"image": "the text", "text": "the picture"}


def headline(answer: str, ranking: Ranking, gain: Comparison | None) -> str:
    """One sentence that answers the question of the run."""
    single, metric = ranking.best("image", "text"), metric_label(ranking.metric.name)
    if answer == "no result":
        return "No cell has a complete set of scores, so nothing can be compared."
    if gain is None or single is None:
        return f"{_untested(ranking)} does a second modality pay? This run did not compare the two."
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


def _untested(ranking: Ranking) -> str:
    missing = "no fusion" if ranking.best("fusion") is None else "no single modality"
    return f"With {missing} to compare,"


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
