"""Fusions that learn from samples without a label too."""

from __future__ import annotations

from typing import Self

from models.arrays import Labels
from models.fusion import Fit, Fusion
from models.views import Views


class LearnsFromUnlabelled(Fusion):
    """A fusion whose `fit` takes samples without a label. Other fusions never see them."""

    def fit(self, views: Views, y: Labels, unlabelled: Views | None = None) -> Self:
        """Learn from n training samples with labels (n,), and from `unlabelled` ones, if any."""
        raise NotImplementedError

    def learn(self, fit: Fit) -> Self:
        """See Fusion.learn; here with the samples that have no label."""
        return self.fit(fit.train, fit.y, fit.unlabelled)
