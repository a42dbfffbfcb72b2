"""Fusions that train a network, and the course of that training."""

from __future__ import annotations

from typing import Any, ClassVar

from models.fusion import Fusion


class TrainsNetwork(Fusion):
    """A fusion that trains a network in passes over the training samples.

    Attributes
    ----------
    epochs : most passes, a parameter.
    gpu_pays : whether a GPU, where there is one, trains it faster than a processor's core.
    """

    gpu_pays: ClassVar[bool] = False

    epochs: int

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return ("torch",)

    def course(self) -> dict[str, Any] | None:
        """Course of the fitted model's training as plain data (features.training.settings.History).

        None where nothing had to be trained.
        """
        raise NotImplementedError
