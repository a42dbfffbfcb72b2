"""A bundle that is asked, by many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Self, TypeVar

import numpy as np

from features.pictures.decoding import as_png
from pipeline.use.bundle import Bundle
from pipeline.use.index.index import Index
from pipeline.use.items.item import Item
from pipeline.use.problem import BundleError
from pipeline.use.serving.batching import Batcher
from pipeline.use.serving.inputs import ItemGiven, item_of, item_of_batch
from pipeline.use.serving.limits import Limits, Refusal
from pipeline.use.serving.metrics import Metrics
from pipeline.use.serving.nearest_items import NearestItems, nearest_items
from pipeline.use.serving.prediction import Prediction, failed, predictions
from pipeline.use.serving.reasons import Reasons, reasons

Answer = TypeVar("Answer")


class Service:
    """What the routes of the API ask.

    A thread of its own asks the model; it ends with the context of the service.

    Parameters
    ----------
    card : text of the model card.
    index : of items, of which the nearest are shown; None for none.
    """

    def __init__(
        self,
        bundle: Bundle,
        card: str = "",
        limits: Limits | None = None,
        index: Index | None = None,
    ) -> None:
        self.bundle, self.card, self.limits = bundle, card, limits or Limits()
        self.index = index
        models = [model.encoders for model in bundle.cell.models]
        of_index = {} if index is None else index.files.spaces.encoders
        for encoders in [*(of_model.values() for of_model in models), of_index.values()]:
            for encoder in encoders:
                encoder.exact = False  # an item alone would take as long as a full batch
        self.metrics = Metrics()
        self._batcher = Batcher(partial(predictions, bundle), self.limits, self.metrics.batch)

    @property
    def is_ready(self) -> bool:
        """Whether it still predicts."""
        return self._batcher.is_ready

    def warm_up(self) -> None:
        """Predict something, so that all is loaded and the first request waits for nothing.

        Raises
        ------
        BundleError
            Where the model cannot predict.
        """
        try:
            predictions(self.bundle, [Item("", _white_picture(), "text")])
        # A model may raise anything; here somebody is there to read it.
        except Exception as error:
            raise BundleError(f"the model cannot predict: {error}") from error

    async def predict(self, picture: bytes | None, text: str | None) -> Prediction:
        """The prediction of an item. Raises what the model raises, and Refusal."""
        item = item_of(picture, text, self.bundle.cell.modalities, self.limits)
        (outcome,) = await self._outcomes([item])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def predict_batch(self, batch: Sequence[ItemGiven]) -> list[Prediction]:
        """Predictions of some items; where the model fails, the prediction says so."""
        limit = self.limits.items
        if len(batch) > limit:
            raise Refusal(
                422, f"the batch has more than {limit} items", "items of a batch", limit
            )
        read = partial(item_of_batch, asked=self.bundle.cell.modalities, limits=self.limits)
        items = await asyncio.to_thread(lambda: [read(given) for given in batch])
        outcomes = await self._outcomes(items)
        return [
            failed(self.bundle, item) if isinstance(outcome, BaseException) else outcome
            for item, outcome in zip(items, outcomes, strict=True)
        ]

    async def reasons(self, picture: bytes | None, text: str | None) -> Reasons:
        """What the prediction of an item rests on. Raises what the model raises, and Refusal."""
        return await self._asked(partial(reasons, self.bundle), picture, text)

    async def nearest(self, picture: bytes | None, text: str | None) -> NearestItems:
        """The items of the index next to an item. Raises what the model raises, and Refusal."""
        assert self.index is not None
        return await self._asked(partial(nearest_items, self.index), picture, text)

    async def _asked(
        self, ask: Callable[[Item], Answer], picture: bytes | None, text: str | None
    ) -> Answer:
        """An answer about an item, in the thread that asks the model."""
        item = item_of(picture, text, self.bundle.cell.modalities, self.limits)
        future = asyncio.wrap_future(self._batcher.run(partial(ask, item)))
        async with self._patience():
            return await future

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Predict what waits still, and end the thread."""
        self._batcher.close()

    async def _outcomes(self, items: Sequence[Item]) -> list[Prediction | BaseException]:
        """For each item a prediction, or what the model raised."""
        futures = map(asyncio.wrap_future, self._batcher.submit(items))
        async with self._patience():
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
        for outcome in outcomes:
            self.metrics.prediction(_kind(outcome))
        return outcomes


    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Refuse what takes longer than the limit."""
        seconds = self.limits.predict_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise Refusal(
                503, f"the model predicted nothing within {seconds:g} seconds",
                "seconds of a prediction", seconds,
            ) from None


def _white_picture() -> bytes:
    return as_png(np.full((64, 64, 3), 255, dtype=np.uint8))


def _kind(outcome: Prediction | BaseException) -> str:
    if isinstance(outcome, BaseException):
        return "failed"
    return "nothing" if outcome.predicted is None else "predicted"
