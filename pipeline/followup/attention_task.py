"""What one attention model looked at in some rows: its work, kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.block import Modality
from models.neural.attending import AttendsToPairs, WeighsModalities
from pipeline.data.rows import Rows
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import context_at
from pipeline.tasks.encoding.encode import fitted_encoder
from pipeline.tasks.encoding.samples import SamplesReference, samples_at
from pipeline.tasks.refit import Refitted, refit
from pipeline.tasks.unit import Unit

SIDE = 168  # pixels of a shown picture
VERSION = 1
Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class AttentionTask(Shown):
    """A model that attends, fitted once more and asked what it looked at.

    Parameters
    ----------
    unit : without its rows.
    context : key of the Context that holds its fold.
    rows : positions of the rows it is asked about.
    samples : of each modality, to name and show what stands in them.
    """

    stage: ClassVar[str] = "Attention"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None
    # as it was fitted: the threads of a small network mostly wait for each other, and where other
    # work keeps the cores busy it takes minutes in place of seconds (see benchmarks/RESULTS.md)
    all_cores: ClassVar[bool] = False

    unit: Unit
    context: str
    rows: tuple[int, ...]
    samples: Mapping[Modality, SamplesReference]

    @cached_property
    def ingredients(self) -> Ingredients:
        """Everything that decides what is kept; see `pipeline.store.keys.key_of`."""
        return {
            "kind": "attention",
            "version": VERSION,
            "result": self.unit.key,
            "rows": list(self.rows),
        }

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (key_of(self.ingredients),)

    @property
    def label(self) -> str:
        """See Task."""
        return self.unit.cell.name

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.label}, {self.unit.fold.in_words}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        work = partial(self._asked, store)
        return {self.keys[0]: attempt(lambda: store.get(self.ingredients, work))}

    def _asked(self, store: Store) -> Entry:
        context = context_at(store, self.context)
        fold = context.fold(self.unit.fold.repeat, self.unit.fold.fold)
        refitted = refit(self.unit.with_fold(fold), context, store)
        model = refitted.model
        if isinstance(model, AttendsToPairs):
            return self._matched(refitted, model, store)
        assert isinstance(model, WeighsModalities)
        return Entry({"weights": model.attention(refitted.views.take(np.array(self.rows)))})

    def _matched(self, refitted: Refitted, model: AttendsToPairs, store: Store) -> Entry:
        """Weights of pairs, and predictions; words and pictures, where encoders can tell them."""
        views = refitted.views.take(np.array(self.rows))
        arrays: dict[str, NDArray[Any]] = {
            "alpha": model.attention(views),
            "probabilities": refitted.predict(views),
        }
        words = _unless_unable(lambda: self._words(refitted, store))
        pictures = _unless_unable(lambda: self._pictures(refitted, store))
        if pictures is not None:
            arrays["pictures"] = pictures
        return Entry(arrays, {"words": words})

    def _positions(self, modality: Modality, refitted: Refitted) -> Rows:
        positions: Rows = refitted.context.index[modality][np.array(self.rows)]
        return positions

    def _words(self, refitted: Refitted, store: Store) -> list[list[str]]:
        features = self.unit.features["text"][0].with_rows(refitted.context)
        texts = samples_at(self.samples["text"], store)
        encoder = fitted_encoder(features, texts, store)
        return encoder.tokens([texts[at] for at in self._positions("text", refitted)])

    def _pictures(self, refitted: Refitted, store: Store) -> NDArray[np.uint8]:
        pictures = samples_at(self.samples["image"], store)
        encoder = self.unit.features["image"][0].encoder
        shown = encoder.shown([pictures[at] for at in self._positions("image", refitted)])
        small = [np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE))) for pixels in shown]
        return np.stack(small)


def _unless_unable(ask: Callable[[], Answer]) -> Answer | None:
    """What an encoder tells; None from one that cannot tell."""
    try:
        return ask()
    except NotImplementedError:
        return None
