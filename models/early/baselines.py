"""What every fusion has to beat: the training class frequencies, and each modality by itself."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from features.block import Form, Modality
from models.arrays import Labels, Probabilities
from models.early.side_by_side import SideBySide
from models.fusion import ClassTexts
from models.unseen_classes import RecognisesUnseenClasses
from models.views import Views


class Majority(RecognisesUnseenClasses):
    """Predicts the class frequencies of the training samples, whatever the features are.

    Of classes that no training sample has nothing is known but their number C: each gets 1/C, which
    is chance.

    It needs no modality: views of any block do, and missing ones make no difference.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {}

    def fit(self, views: Views, y: Labels, class_texts: ClassTexts | None = None) -> Self:
        """Count the labels (n,), or the described classes that are not among them."""
        self._learn_from(views, y)
        self.classes_, counts = np.unique(
            y if class_texts is None else class_texts.candidates(y), return_counts=True
        )
        self.frequencies_ = counts / counts.sum()
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """The training frequencies for each of n samples: (n, K)."""
        self._known(views)
        return np.tile(self.frequencies_, (len(views), 1))


class SingleModality(SideBySide):
    """One modality's scaled features, classified; those of several encoders are side by side.

    A sample without that modality teaches nothing, and gets the class frequencies of the training
    rows.

    Parameters
    ----------
    classifier : what classifies the rows.
    encoder_shares : see SideBySide.
    """

    def _share(self, modality: Modality) -> float:
        return 1.0


class ImageOnly(SingleModality):
    """The picture by itself."""

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled"}


class TextOnly(SingleModality):
    """The text by itself."""

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"text": "pooled"}


SINGLE_MODALITY: dict[Modality, type[SingleModality]] = {"image": ImageOnly, "text": TextOnly}
