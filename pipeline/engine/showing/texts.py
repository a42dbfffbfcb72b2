"""What is said of stages, in a line each."""

from __future__ import annotations

from pipeline.engine.showing.state import Now, Score, Stage
from reports.units import elapsed, rough_duration
from reports.wording import count, figure, metric_label, noun_of, short

LEAST_LEFT = 1.0  # seconds that are worth saying
NAMED = 3  # pieces of work under way that a line names


def begin_text(stage: Stage) -> str:
    """A stage as it begins."""
    return f"{stage.name}: {stage.total:,}{noun(stage)} to do"


def stage_text(stage: Stage, now: float) -> str:
    """A stage that goes on, in a log: how far it is, and what is done now."""
    parts = [*_counted(stage), elapsed(stage.seconds(now)), *left_text(stage, now)]
    doing = doing_texts(stage, now)
    return f"{stage.name}: {', '.join(parts)}{': ' if doing else ''}{'; '.join(doing)}"


def end_text(stage: Stage) -> str:
    """A stage that has ended."""
    seconds = elapsed(stage.seconds(0.0))
    return f"{stage.name}: {', '.join([*_counted(stage), seconds])}"


def _counted(stage: Stage) -> list[str]:
    return [f"{stage.counted:,}/{stage.total:,}{noun(stage)}"] if stage.total else []


def noun(stage: Stage) -> str:
    """What is counted, behind a space; empty for pieces of work."""
    return f" {noun_of(stage.total, stage.noun)}" if stage.noun else ""


def left_text(stage: Stage, now: float) -> list[str]:
    """How long it still takes; nothing where there is no ground to say so, and where it is over."""
    left = stage.left(now)
    return [] if left is None or left < LEAST_LEFT else [f"about {rough_duration(left)} left"]


def doing_texts(stage: Stage, now: float) -> list[str]:
    """What is done now: the pieces of work that have run longest, and how many others do."""
    running = sorted(stage.now.values(), key=lambda piece: piece.since)
    texts = [now_text(piece, now) for piece in running[:NAMED]]
    others = len(running) - NAMED
    return [*texts, f"and {count(others, 'other')}"] if others > 0 else texts


def now_text(piece: Now, now: float) -> str:
    """A piece of work under way, how far it is, and for how long."""
    of = noun_of(piece.total, piece.noun)
    far = f"{piece.done:,} of {piece.total:,} {of}, " if piece.total else ""
    return f"{short(piece.doing, 120)} ({far}{elapsed(now - piece.since)})"


def score_text(score: Score) -> str:
    """A cell of which all folds are done."""
    return (
        f"{short(score.cell, 120)}: {metric_label(score.metric)} {figure(score.value)} "
        f"over {count(score.folds, 'fold')}"
    )
