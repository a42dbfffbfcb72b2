"""Fusions whose space lets a picture find texts, and a text pictures."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

from features.block import Block, FloatArray, Modality
from models.fusion import Fusion
from models.views import Views


class Space(Protocol):
    """Where pictures and texts are compared by the product of their points."""

    def fit(self, views: Views) -> Self:
        """Learn from those of n samples that have both modalities; labels are not looked at."""
        ...

    def project(self, modality: Modality, block: Block) -> FloatArray:
        """Points float32 (n, k): the greater the product of two, the better they match."""
        ...


class SharesSpace(Fusion):
    """A fusion that learns a space of pictures and texts. Inherit from it, and give the space.

    Attributes
    ----------
    simplest : whether its space is the one that others are held against, as it learns the least.
    """

    simplest: ClassVar[bool] = False

    def space(self) -> Space:
        """Unfitted space with this fusion's parameters."""
        raise NotImplementedError


class ComparesAsEncoded(Fusion):
    """A fusion that can compare pictures and texts as their encoders give them.

    So it can where these put both into one space (Encoder.shared_space), and nothing of that space
    is then to be learned. Inherit from it.
    """

    @property
    def needs_shared_space(self) -> bool:
        """Whether it is of no use on encoders that share no space."""
        return True

    def on_encoders(self, share_space: bool) -> Self:
        """Itself as it is used on encoders that share a space, or that do not."""
        return self
