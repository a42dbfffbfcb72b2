"""A classifier for each modality, which labels that were guessed may teach too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.block import IntArray, Modality
from models.arrays import Codes, Labels, Probabilities, Rows
from models.combining import MemberPredictions
from models.early.baselines import SINGLE_MODALITY, SingleModality
from models.fusion import TakesClassifier
from models.late.rules import product
from models.unlabelled import LearnsFromUnlabelled
from models.views import Views, stacked

Members = dict[Modality, SingleModality]


class TeachesMembers(TakesClassifier, LearnsFromUnlabelled):
    """A classifier for each modality; samples without a label get guessed ones to teach them.

    A sample that lacks a modality teaches, and is judged by, its other one; one that lacks both
    gets the class frequencies of the labelled samples. Only unlabelled samples that have both get a
    label.
    """

    def _pooled(
        self, views: Views, y: Labels, unlabelled: Views | None
    ) -> tuple[Views, Codes, Rows]:
        """Labelled samples and after them the pool, unlabelled ones that have both modalities.

        Returns
        -------
        views : of all of them.
        codes : (n,) of the labelled samples.
        pool : positions of the others.
        """
        self._learn_from(views, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.frequencies_ = np.bincount(codes) / len(codes)
        if unlabelled is not None:
            views = stacked(views, unlabelled.complete())
        return views, codes, np.arange(len(codes), len(views))

    def _members(self, views: Views, taught: Mapping[Modality, Codes]) -> Members:
        """A classifier for each modality, fitted on the samples with a label for it.

        Parameters
        ----------
        taught : (n,) codes of the labels for each modality, -1 for none.
        """
        members = {}
        for modality, cls in SINGLE_MODALITY.items():
            labels = taught[modality]
            rows = np.flatnonzero(labels >= 0)
            members[modality] = cls(self.classifier.unfitted()).fit(views.take(rows), labels[rows])
        return members

    def _product(self, members: Members, views: Views) -> Probabilities:
        """The product of both modalities' probabilities over the prior, as in late fusion."""
        present = np.stack([views.blocks()[modality].present for modality in SINGLE_MODALITY])
        predicted = [member.predict_proba(views) for member in members.values()]
        probabilities = np.stack(predicted)
        probabilities[~present] = self.frequencies_
        prior = self.classifier.prior(self.frequencies_)
        return product(MemberPredictions(probabilities, present), prior)


def surest(probabilities: Probabilities, quotas: IntArray) -> tuple[Rows, Codes]:
    """Rows and classes of the most confident predictions: at most quotas[k] with best class k."""
    best = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(best)), best]
    order = np.argsort(-confidence, kind="stable")
    rows = np.concatenate([order[best[order] == code][:quota] for code, quota in enumerate(quotas)])
    return rows, best[rows]
