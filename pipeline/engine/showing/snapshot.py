"""A state as plain data: what progress.json says."""

from __future__ import annotations

import os
import time
from math import isfinite
from typing import Any

from pipeline.engine.showing.state import Score, Stage, State

FORMAT = 1


def snapshot(state: State) -> dict[str, Any]:
    """How far a run is, as JSON; times are seconds, moments seconds since 1970."""
    with state.lock:
        now = state.clock()
        stages = [stage for stage in state.stages if stage.is_open or not stage.has_parts]
        going = {id(stage) for stage in state.open_stages()}
        return {
            "format": FORMAT,
            "name": state.name,
            "command": state.command,
            "state": state.ending,
            "exit": state.exit,
            "error": state.error,
            "failures": state.failures,
            "pid": os.getpid(),
            "started": state.started,
            "heartbeat": time.time(),
            "seconds": now - state.begun,
            "stages": [
                _stage(stage, now) for stage in stages if not stage.is_open or id(stage) in going
            ],
            "scores": [_score(score) for score in state.scores],
        }


def _score(score: Score) -> dict[str, Any]:
    """A score; one that is not defined is null, since JSON has no NaN."""
    return {**score._asdict(), "value": score.value if isfinite(score.value) else None}


def _stage(stage: Stage, now: float) -> dict[str, Any]:
    return {
        "name": stage.name,
        "state": "running" if stage.is_open else "ended",
        "done": stage.counted,
        "total": stage.total,
        "noun": stage.noun,
        "seconds": stage.seconds(now),
        "left": stage.left(now) if stage.is_open else None,
        "now": [
            {
                "doing": piece.doing,
                "seconds": now - piece.since,
                "done": piece.done,
                "total": piece.total,
                "noun": piece.noun,
            }
            for piece in sorted(stage.now.values(), key=lambda piece: piece.since)
        ],
    }
