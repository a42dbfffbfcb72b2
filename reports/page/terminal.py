"""What a run says at its end: the answer, how steady it is, and the best cells."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.ranking import Ranking, rank_cells
from reports.answer.choice import choice
from reports.answer.verdict import verdict
from reports.record import RunRecord
from reports.retrieval import sentences as retrieval
from reports.retrieval.answer import answer_of
from reports.retrieval_record import RetrievalRecord
from reports.sentences.choosing import chosen
from reports.sentences.decision import decision
from reports.sentences.headline import evidence, headline
from reports.sentences.intervals import ends, plus_minus
from reports.sentences.unreached import not_reached
from reports.wording import count, figure, for_terminal, metric_label

SHOWN = 5


def closing(record: RunRecord | RetrievalRecord) -> str:
    """The headline, what to know to weigh it, what to choose, and the five best cells."""
    if isinstance(record, RetrievalRecord):
        return _closing_of_pairs(record)
    ranking, reached = rank_cells(record), verdict(record)
    to_choose = choice(reached, ranking)
    behind = [*filter(None, [evidence(reached, ranking)]), *decision(reached, ranking)]
    if to_choose is not None:
        behind.append(f"choose {chosen(to_choose, reached, ranking)}")
    sentences = [*behind, *not_reached(record.unreached)]
    weighed = [f"  {for_terminal(sentence)}" for sentence in sentences]
    return "\n".join(["", headline(reached, ranking), *weighed, *_best(ranking)])


def _best(ranking: Ranking) -> Iterator[str]:
    """The five best cells, one a line, under what is shown of them."""
    standings = ranking.ranked()[:SHOWN]
    if not standings:
        return
    loss = "" if ranking.metric.greater_is_better else ", lower is better"
    scores = [plus_minus(standing.score) for standing in standings]
    width = max(map(len, scores))
    yield (
        f"best cells ({metric_label(ranking.metric.name)} over "
        f"{count(len(ranking.folds), 'fold')}{loss}):"
    )
    for standing, score in zip(standings, scores, strict=True):
        yield f"  {standing.rank}  {score:<{width}}  {for_terminal(standing.cell.name, 200)}"


def _closing_of_pairs(record: RetrievalRecord) -> str:
    answer = answer_of(record)
    weighed = [
        f"  {for_terminal(sentence)}"
        for sentence in (*retrieval.sentences(answer), *not_reached(record.unreached))
    ]
    named = f"best spaces ({metric_label(answer.metric.name)} both ways):"
    board = [named] if answer.standings else []
    for standing in answer.standings[:SHOWN]:
        score = standing.scores["both", answer.metric.name]
        shown = f"{figure(score.estimate)} ({ends(score)})"
        board.append(f"  {standing.rank}  {shown}  {for_terminal(standing.name, 200)}")
    return "\n".join(["", retrieval.headline(answer), *weighed, *board])
