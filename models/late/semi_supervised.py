"""Co-training by two views (Blum and Mitchell 1998): few samples have a label, many do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from features.block import Form, Modality
from models.arrays import Codes, Labels, Probabilities, Rows
from models.early.baselines import SINGLE_MODALITY
from models.late.taught_members import TeachesMembers, surest
from models.views import Views

ORDERS: tuple[tuple[Modality, Modality], ...] = (("image", "text"), ("text", "image"))


@dataclass(kw_only=True, eq=False, repr=False)
class SemiSupervised(TeachesMembers):
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
        views, codes, pool = self._pooled(views, y, unlabelled)
        unknown = np.full(len(pool), -1)
        taught = {modality: np.concatenate([codes, unknown]) for modality in SINGLE_MODALITY}
        self.members_ = self._members(views, taught)
        for _ in range(self.rounds if len(pool) and len(self.classes_) > 1 else 0):
            if not self._teach(views, pool, taught):
                break
            self.members_ = self._members(views, taught)
        self.labelled_ = {
            modality: int(np.sum(labels[pool] >= 0)) for modality, labels in taught.items()
        }
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        return self._product(self.members_, views)

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
