"""The answer of a run of retrieval in words, each sentence made from figures that stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from reports.analysis.bootstrap import PooledInterval
from reports.retrieval.answer import RetrievalAnswer, Standing
from reports.retrieval.choice import Choice
from reports.retrieval_record import DIRECTIONS
from reports.sentences.intervals import between, ends
from reports.sentences.lines import AnswerLine, labelled
from reports.sentences.not_chosen import not_chosen
from reports.wording import count, figure, metric_label, quoted, signed


def headline(answer: RetrievalAnswer) -> str:
    """What to take and how well it finds, in a line; what was lacking where there is nothing."""
    if not answer.standings:
        why = "every cell failed on some fold" if answer.unreached is None else "time was short"
        return f"No space is complete: {why}."
    best, choice = answer.standings[0], answer.choice
    score = figure(answer.expected["both", answer.metric.name].estimate)
    reached = f"{score} {metric_label(answer.metric.name)}"
    if choice is None:
        return f"{quoted(best.name)}: {reached}"
    stands_out = 2 * choice.times(best.name) >= len(choice.folds)
    advice = f"Take {quoted(best.name)}" if stands_out else "No space stands out"
    return f"{advice}: {reached}"


def evidence(answer: RetrievalAnswer) -> str | None:
    """What the headline's score is, with its interval; None where there is none."""
    if not answer.standings:
        return None
    score, choice = answer.expected["both", answer.metric.name], answer.choice
    reached = "" if choice is None else (
        f"what choosing among {len(choice.candidates)} spaces on inner folds reaches"
    )
    interval = "" if score.low is None else f"95 % interval {ends(score)}"
    return "; ".join(filter(None, ("Mean of both ways", interval, reached)))


def answer_lines(answer: RetrievalAnswer) -> Iterator[AnswerLine]:
    """What is found, whether learning pays, what is nearly as good, how much was asked."""
    if not answer.standings:
        return
    label = metric_label(answer.metric.name)
    yield from labelled(
        ("What it finds", [_finds(answer)]),
        ("Does learning pay", _gain(answer, label)),
        ("The next best", [_against(next_best, label) for next_best in answer.standings[1:2]]),
        ("How sure", [_asked(answer), *_optimistic(answer)]),
    )


def further(answer: RetrievalAnswer) -> Iterator[str]:
    """What stands behind the answer's lines."""
    if answer.standings:
        yield _expected(answer, metric_label(answer.metric.name))
        yield from _left_out(answer)


def sentences(answer: RetrievalAnswer) -> Iterator[str]:
    """What to know to weigh the headline.

    In order: what it finds, what to expect of the best space, the one that learns least, the next
    best, among how many was asked, what could not be chosen.
    """
    if not answer.standings:
        return
    label = metric_label(answer.metric.name)
    yield _finds(answer)
    yield _expected(answer, label)
    yield from _gain(answer, label)
    if len(answer.standings) > 1:
        yield _against(answer.standings[1], label)
    yield _asked(answer)
    yield from _optimistic(answer)
    yield from _left_out(answer)


def _finds(answer: RetrievalAnswer) -> str:
    """Hits among ten of what is expected, in words."""
    texts, pictures = (
        100 * answer.expected[way, "hit_at_10"].estimate for way in DIRECTIONS
    )
    by_chance = [100 * answer.chance[way][10] for way in DIRECTIONS]
    return (
        f"The right picture among the ten best for {texts:.0f} % of the texts, and a right text "
        f"for {pictures:.0f} % of the pictures (by chance {by_chance[0]:.0f} % and "
        f"{by_chance[1]:.0f} %)."
    )


def _asked(answer: RetrievalAnswer) -> str:
    return (
        f"Asked were {count(round(answer.queries['text_to_image']), 'text')} among "
        f"{count(round(answer.candidates['text_to_image']), 'picture')}, and "
        f"{count(round(answer.queries['image_to_text']), 'picture')} among "
        f"{count(round(answer.candidates['image_to_text']), 'text')}"
        + (" in a fold" if answer.folds > 1 else "")
        + ": with more candidates fewer are hit."
    )


def _optimistic(answer: RetrievalAnswer) -> Iterator[str]:
    if answer.choice is None and len(answer.standings) > 1:
        yield (
            f"It is the best of {len(answer.standings)} on the pairs that score it, so its score "
            "is optimistic, the more so the closer the others are: nothing was ranked on inner "
            "folds to choose by."
        )


def _expected(answer: RetrievalAnswer, label: str) -> str:
    """What the best space is worth: the score of choosing it, or its own where it is the only."""
    best, choice = answer.standings[0], answer.choice
    expected = _with_ends(answer.expected["both", answer.metric.name])
    if choice is None:
        return f"Its mean {label} both ways is {expected}."
    chosen, folds = choice.times(best.name), count(len(choice.folds), "fold")
    reaches = f"what choosing among {len(choice.candidates)} spaces on inner folds reaches"
    itself = figure(best.scores["both", answer.metric.name].estimate)
    if 2 * chosen < len(choice.folds):
        name, times = choice.favourite
        return (
            f"Best on these folds is {quoted(best.name)} with {label} {itself} both ways, but "
            f"inner folds choose it on only {chosen} of {folds} (most often {quoted(name)}, on "
            f"{times}). Expect {expected}: {reaches}."
        )
    return (
        f"What to expect of {quoted(best.name)} is {label} {expected} both ways: {reaches}, which "
        f"choose it on {chosen} of {folds}. Its own {itself} is the best of them all on the pairs "
        "that score it."
    )


def _gain(answer: RetrievalAnswer, label: str) -> Iterator[str]:
    """Whether learning a space pays; how to ask that, where nothing answers it."""
    gain = answer.gain
    if gain is None:
        if answer.without_simplest and answer.unreached is None:
            yield (
                "The grid has no text_space, the texts' own space: add it to see whether learning "
                "a space pays."
            )
        return
    figures = f"{label} {figure(gain.scores['learned'].estimate)} both ways against "
    figures += f"{figure(gain.scores['simplest'].estimate)}, a gain of {_signed(gain.difference)}"
    yield (
        f"Against what learns least ({_side(gain.choices['simplest'])}), the learned spaces "
        f"({_side(gain.choices['learned'])}) reach {figures}: {_JUDGED[gain.judged]}."
    )


_JUDGED = {
    "pays": "learning a space pays",
    "costs": "learning a space does harm",
    "no difference that matters": "it makes no difference that matters",
    "no difference shown": "no difference is shown",
    "few units": "on too few pictures to say more",
}


def _side(choice: Choice) -> str:
    if len(choice.candidates) == 1:
        return quoted(choice.candidates[0])
    name, times = choice.favourite
    return (
        f"the best of {len(choice.candidates)} on inner folds, most often {quoted(name)}: {times} "
        f"of {len(choice.folds)}"
    )


def _against(second: Standing, label: str) -> str:
    gain = second.behind
    assert gain is not None
    if gain.low is None or gain.high is None:
        ahead = f"The best is {signed(gain.estimate)} ahead of the next, {quoted(second.name)}"
        return f"{ahead}, on too few pictures to say more."
    shown = f"{_signed(gain)} of {label}"
    if gain.low > 0:
        return f"The best is better than the next, {quoted(second.name)}: {shown}."
    return f"No difference of the best to the next, {quoted(second.name)}, is shown: {shown}."


def _left_out(answer: RetrievalAnswer) -> Iterator[str]:
    """Which cells could not be chosen, and why."""
    names = dict.fromkeys(chain.from_iterable(of.left_out for of in answer.choices.values()))
    failed = [name for name in names if name in answer.failed_inside]
    behind = [name for name in names if name not in answer.failed_inside]
    yield from not_chosen("space", "learned", behind if answer.choice is not None else [], failed)


def _with_ends(score: PooledInterval) -> str:
    shown = figure(score.estimate)
    return shown if score.low is None else f"{shown} (95 % interval {ends(score)})"


def _signed(gain: PooledInterval) -> str:
    shown = signed(gain.estimate)
    return shown if gain.low is None else f"{shown} ({between(gain)})"
