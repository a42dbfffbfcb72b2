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
        from features.training.torch_state import on_gpu_if

        with on_gpu_if(self.gpu_pays):
            weights = applied(self.network_, self._inputs(views), "attention")
        return np.asarray(weights.numpy(), dtype=np.float32)


class AttendsToPairs(Attending):
    """A network whose `attention` weighs pairs of a region and a token: (n, i, t)."""


class WeighsModalities(Attending):
    """A network whose `attention` weighs the picture and the text: (n, 2)."""
