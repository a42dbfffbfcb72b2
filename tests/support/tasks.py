"""Tasks that do what tests need of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, NoReturn

from pipeline.store.keys import key_of
from pipeline.store.store import Store


@dataclass(frozen=True)
class Raising:
    """A task that ends in an error of the system, by its number."""

    stage: ClassVar[str] = "Fits"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    label: str
    number: int

    @property
    def keys(self) -> tuple[str, ...]:
        return (key_of({"raising": self.label}),)

    def compute(self, store: Store) -> NoReturn:
        raise OSError(self.number, os.strerror(self.number))
