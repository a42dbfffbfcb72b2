"""Items that wait at the same time are predicted together.

A single thread asks the model, also for what is no prediction (`Batcher.run`), so that requests
neither crowd the cores nor meet in libraries that are not meant for several threads. While it
works, others arrive; it then takes all that wait. Items are predicted as they would be alone: only
the order of sums in products of larger matrices changes a probability's last digits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline.use.items.item import Item
from pipeline.use.serving.limits import Limits, Refusal
from pipeline.use.serving.prediction import Predicting, Prediction

LOG = logging.getLogger(__name__)
Watching = Callable[[int], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Question:
    item: Item
    future: Future[Prediction] = field(default_factory=Future)


@dataclass(frozen=True)
class _Work:
    compute: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class Batcher:
    """Has all items that wait predicted, again and again.

    Parameters
    ----------
    predicting : gives a prediction of each of some items.
    watching : gets the size of every batch.
    """

    def __init__(self, predicting: Predicting, limits: Limits, watching: Watching) -> None:
        self._predicting, self._limits, self._watching = predicting, limits, watching
        self._waiting: deque[_Question | _Work] = deque()
        self._change = threading.Condition()
        self._is_closed = False
        self._worker = threading.Thread(target=self._work, name="predictions", daemon=True)
        self._worker.start()

    @property
    def is_ready(self) -> bool:
        """Whether it still predicts."""
        return self._worker.is_alive() and not self._is_closed

    def submit(self, items: Sequence[Item]) -> list[Future[Prediction]]:
        """Futures of a prediction of each of the items. A Refusal where too much waits already."""
        questions = [_Question(item) for item in items]
        self._add(questions)
        return [question.future for question in questions]

    def run(self, compute: Callable[[], Result]) -> Future[Result]:
        """The future of what a function gives that asks the model by itself. Refuses as above."""
        work = _Work(compute)
        self._add([work])
        return work.future

    def close(self) -> None:
        """Predict what waits still, and end."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        self._worker.join()

    def _add(self, waiting: Sequence[_Question | _Work]) -> None:
        limit = self._limits.waiting
        with self._change:
            if self._is_closed:
                raise Refusal(503, "the server is about to end", "ending")
            if len(self._waiting) + len(waiting) > limit:
                raise Refusal(
                    503, f"more than {limit} items wait already; ask again a little later",
                    "items that wait", limit,
                )
            self._waiting.extend(waiting)
            self._change.notify()

    def _work(self) -> None:
        while batch := self._next():
            running = [
                question for question in batch if question.future.set_running_or_notify_cancel()
            ]
            questions = [question for question in running if isinstance(question, _Question)]
            if questions:
                self._watching(len(questions))
                self._settle(questions)
            for work in running:
                if isinstance(work, _Work):
                    _carry_out(work)

    def _next(self) -> list[_Question | _Work]:
        """All that wait, up to the limit, and somebody at least; none once it is over."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_closed)
            count = min(len(self._waiting), self._limits.at_once)
            return [self._waiting.popleft() for _ in range(count)]

    def _settle(self, batch: Sequence[_Question]) -> None:
        try:
            given = self._predicting([question.item for question in batch])
            pairs = list(zip(batch, given, strict=True))
        # A model may raise anything; the thread must go on for the others.
        except Exception as error:
            if len(batch) == 1:
                LOG.exception("the model failed on an item")
                batch[0].future.set_exception(error)
                return
            for question in batch:  # who is to blame fails alone
                self._settle([question])
            return
        for question, prediction in pairs:
            question.future.set_result(prediction)


def _carry_out(work: _Work) -> None:
    try:
        work.future.set_result(work.compute())
    # As above: whatever it raises is for whoever asked.
    except Exception as error:
        LOG.exception("the model failed on an item")
        work.future.set_exception(error)
