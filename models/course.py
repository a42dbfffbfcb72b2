"""Fusions that train a network, and the course of that training."""

from __future__ import annotations

from typing import Any

from models.fusion import Fusion


class TrainsNetwork(Fusion):
    """A fusion that trains a network in passes over the training samples.

    Attributes
    ----------
    epochs : most passes, a parameter.
    """

    epochs: int

    def course(self) -> dict[str, Any] | None:
        """Course of the fitted model's training as plain data (features.training.settings.History).

        None where nothing had to be trained.
        """
        raise NotImplementedError
