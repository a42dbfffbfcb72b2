"""Networks whose weights say what a prediction looked at."""

from __future__ import annotations

import numpy as np

from features.block import FloatArray
from models.neural.fusion import NeuralFusion
from models.views import Views


class Attending(NeuralFusion):
    """A network whose weights say what a prediction looked at."""

    def attention(self, views: Views) -> FloatArray:
        """Weights of n samples, which add up to 1 in each.

        They are (n, i, t) of pairs, or (n, 2) of picture and text.

        Raises
        ------
        ValueError
            Where all training labels were equal, so that nothing was learned.
        """
        self._known(views)
        if len(self.classes_) == 1:
            raise ValueError(
                f"no attention was learned: every training label was {self.classes_[0]}"
            )
        from features.training.batches import applied

        return np.asarray(
            applied(self.network_, self._inputs(views), "attention").numpy(), dtype=np.float32
        )


class AttendsToPairs(Attending):
    """A network whose `attention` weighs pairs of a region and a token: (n, i, t)."""


class WeighsModalities(Attending):
    """A network whose `attention` weighs the picture and the text: (n, 2)."""
