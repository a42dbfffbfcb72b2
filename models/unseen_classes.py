"""Fusions that recognise classes which no training sample has."""

from __future__ import annotations

from typing import ClassVar, Self

from models.arrays import Labels
from models.fusion import ClassTexts, Fit, Fusion
from models.views import Views


class RecognisesUnseenClasses(Fusion):
    """A fusion whose `fit` takes what all classes are called or described by.

    It then predicts the candidates: the described classes that no training sample has.

    Attributes
    ----------
    uses_class_texts : whether what it predicts depends on these texts.
    """

    uses_class_texts: ClassVar[bool] = False

    def fit(self, views: Views, y: Labels, class_texts: ClassTexts | None = None) -> Self:
        """Learn from n training samples with labels (n,) to tell the candidates apart.

        Without `class_texts` the training classes are the candidates.
        """
        raise NotImplementedError

    def learn(self, fit: Fit) -> Self:
        """See Fusion.learn; here with the texts of the classes."""
        return self.fit(fit.train, fit.y, fit.class_texts)

    def classes_of(self, fit: Fit) -> Labels:
        """See Fusion.classes_of; here the candidates, where classes are described."""
        if fit.class_texts is None:
            return super().classes_of(fit)
        return fit.class_texts.candidates(fit.y)
