"""Co-training by two views (Blum and Mitchell 1998): few samples have a label, many do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from features.block import Form, IntArray, Modality
from models.arrays import Codes, Labels, Probabilities, Rows
from models.combining import MemberPredictions
from models.early.baselines import SINGLE_MODALITY, SingleModality
from models.fusion import TakesClassifier
from models.late.rules import product
from models.unlabelled import LearnsFromUnlabelled
from models.views import Views, stacked

ORDERS: tuple[tuple[Modality, Modality], ...] = (("image", "text"), ("text", "image"))


@dataclass(kw_only=True, eq=False, repr=False)
class SemiSupervised(TakesClassifier, LearnsFromUnlabelled):
    """Pictures teach texts and the reverse: each labels for the other what it is surest of.

    One classifier per modality starts from the labelled samples. In each round, each predicts the
    unlabelled samples that have both modalities, and for every class k hands the other the

        ceil(per_round * n_unlabelled * f(k))

    samples that it takes for k with the most confidence, f(k) being the frequency of k among the
    labelled samples; then both are fitted anew. Sharpening each other works where the modalities
    are independent given the class, and each alone suffices to tell it. In the end a sample gets
    the product of both modalities' probabilities over their prior, as in late fusion (Blum and
    Mitchell 1998, Combining Labeled and Unlabeled Data with Co-Training; here with all unlabelled
    samples as the pool, and a training set of its own for each modality).

    Without unlabelled samples this is late fusion by the product rule. A sample that lacks a
    modality teaches, and is judged by, its other one; one that lacks both gets the class
    frequencies f.

    Parameters
    ----------
    classifier : what classifies each modality's rows.
    rounds : most rounds; they end when nothing is left to label.
    per_round : share of the unlabelled samples that each modality labels in a round.

    Attributes
    ----------
    labelled_ : how many unlabelled samples each modality was taught by the other.
    """

    version: ClassVar[int] = 2
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}

    rounds: Annotated[int, Field(ge=1)] = 10
    per_round: Annotated[float, Field(gt=0, le=1)] = 0.05

    def fit(self, views: Views, y: Labels, unlabelled: Views | None = None) -> Self:
        """Learn from n samples with labels (n,), and from those without."""
        self._learn_from(views, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.frequencies_ = np.bincount(codes) / len(codes)
        pool = np.zeros(0, dtype=np.int64)
        if unlabelled is not None:
            whole = np.all([block.present for block in unlabelled.blocks().values()], axis=0)
            views = stacked(views, unlabelled.take(whole))
            pool = np.arange(len(codes), len(views))
        unknown = np.full(len(pool), -1)
        taught = {modality: np.concatenate([codes, unknown]) for modality in SINGLE_MODALITY}
        self.members_ = self._fitted(views, taught)
        for _ in range(self.rounds if len(pool) and len(self.classes_) > 1 else 0):
            if not self._teach(views, pool, taught):
                break
            self.members_ = self._fitted(views, taught)
        self.labelled_ = {
            modality: int(np.sum(labels[pool] >= 0)) for modality, labels in taught.items()
        }
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        present = np.stack([views.blocks()[modality].present for modality in SINGLE_MODALITY])
        predicted = [member.predict_proba(views) for member in self.members_.values()]
        probabilities = np.stack(predicted)
        probabilities[~present] = self.frequencies_
        prior = self.classifier.prior(self.frequencies_)
        return product(MemberPredictions(probabilities, present), prior)

    def _fitted(
        self, views: Views, taught: dict[Modality, Codes]
    ) -> dict[Modality, SingleModality]:
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

    def _teach(self, views: Views, pool: Rows, taught: dict[Modality, Codes]) -> bool:
        """Each modality labels rows of the pool for the other, in `taught`; whether any were."""
        quotas = np.ceil(self.per_round * len(pool) * self.frequencies_).astype(int)
        labelled = False
        for teacher, pupil in ORDERS:
            left = pool[taught[pupil][pool] < 0]
            rows, labels = surest(self.members_[teacher].predict_proba(views.take(left)), quotas)
            taught[pupil][left[rows]] = labels
            labelled |= len(rows) > 0
        return labelled


def surest(probabilities: Probabilities, quotas: IntArray) -> tuple[Rows, Codes]:
    """Rows and classes of the most confident predictions: at most quotas[k] with best class k."""
    best = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(best)), best]
    order = np.argsort(-confidence, kind="stable")
    rows = np.concatenate([order[best[order] == code][:quota] for code, quota in enumerate(quotas)])
    return rows, best[rows]
