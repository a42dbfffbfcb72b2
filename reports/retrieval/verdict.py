"""The answer of a run of retrieval in a few sentences and a small table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.analysis.bootstrap import PooledInterval
from reports.retrieval.answer import WAY_NAMES, answer_of
from reports.retrieval.sentences import (
    answer_lines,
    evidence,
    further,
    headline,
    sentences,
)
from reports.retrieval_record import CUTOFFS, DIRECTIONS, RetrievalRecord
from reports.section import Section
from reports.sentences.cautions import warned
from reports.sentences.lines import AnswerLine
from reports.sentences.unreached import not_reached


@dataclass(frozen=True)
class Hits:
    """What choosing a space hits in one direction: at k, with intervals, and by chance."""

    way: str
    at: tuple[PooledInterval, ...]
    chance: tuple[float, ...]
    median_rank: PooledInterval


@dataclass(frozen=True)
class VerdictFacts:
    """The headline, the interval under it, labelled lines, what stands behind them, and doubts.

    Parameters
    ----------
    sentences : all of it, for programs.
    cautions : what the figures do not say.
    chosen : whether `directions` are what choosing on inner folds reaches, or the only space.
    """

    headline: str
    evidence: str | None
    lines: tuple[AnswerLine, ...]
    further: tuple[str, ...]
    sentences: tuple[str, ...]
    chosen: bool
    cutoffs: tuple[int, ...]
    directions: tuple[Hits, ...]
    alarms: tuple[str, ...]
    cautions: tuple[str, ...]


def facts(record: RetrievalRecord) -> VerdictFacts:
    """The answer; see reports.retrieval.answer."""
    answer = answer_of(record)
    by_way: list[Hits] = []
    for way in DIRECTIONS if answer.standings else ():
        scores = answer.expected
        by_chance: Mapping[int, float] = answer.chance[way]
        by_way.append(
            Hits(
                WAY_NAMES[way],
                tuple(scores[way, f"hit_at_{k}"] for k in CUTOFFS),
                tuple(by_chance[k] for k in CUTOFFS),
                scores[way, "median_rank"],
            )
        )
    return VerdictFacts(
        headline(answer),
        evidence(answer),
        tuple(answer_lines(answer)),
        (*further(answer), *not_reached(record.unreached)),
        (*sentences(answer), *not_reached(record.unreached)),
        answer.choice is not None,
        CUTOFFS,
        tuple(by_way),
        record.alarms,
        tuple(warned(record)),
    )


SECTION = Section("Verdict", facts)
