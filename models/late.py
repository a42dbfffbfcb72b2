"""Late fusion: the probabilities of one classifier per modality, combined by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
from sklearn.base import clone

from features.encoder import BoolArray, Form, Modality
from models.baselines import ImageOnly, SingleModality, TextOnly
from models.classifiers import Classifier
from models.fusion import Fusion, Labels, Probabilities
from models.views import Views

# A class that one modality rules out may still be revived by the other, if that one is sure enough.
LEAST = 1e-12


class Late(Fusion):
    """Mean or product of the probabilities that pictures and texts give by themselves.

    mean:    p(k) = sum_m p_m(k) / M
    product: p(k) = prod_m p_m(k) / sum_j prod_m p_m(j), with each p_m(k) at least 1e-12

    over the M modalities that a sample has (Kittler et al. 1998, On Combining Classifiers). A sample with
    one modality gets that one's probabilities, a sample with none the training class frequencies.

    Parameters
    ----------
    classifier : what classifies each modality's rows.
    rule : how the probabilities are combined.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    combines: ClassVar[tuple[str, ...]] = ("image_only", "text_only")

    def __init__(self, classifier: Classifier, rule: Literal["mean", "product"] = "mean") -> None:
        self.classifier = classifier
        self.rule = rule

    def fit(self, views: Views, y: Labels) -> Self:
        """Fit one classifier per modality on n training samples with labels (n,)."""
        self.classes_ = np.unique(y)
        self.members_: dict[Modality, SingleModality] = {
            "image": ImageOnly(clone(self.classifier)).fit(views, y),
            "text": TextOnly(clone(self.classifier)).fit(views, y),
        }
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        blocks = views.blocks()
        return self.combine({modality: member.predict_proba(views) for modality, member in self.members_.items()},
                            {modality: blocks[modality].present for modality in self.members_})

    def combine(
        self, probabilities: Mapping[Modality, Probabilities], present: Mapping[Modality, BoolArray]
    ) -> Probabilities:
        """See Fusion.combine."""
        stacked = np.stack([probabilities[modality] for modality in probabilities])
        counted = np.stack([present[modality] for modality in probabilities])
        # Members give the training frequencies where they lack their modality: what is left if all do.
        counted = (counted | ~counted.any(axis=0))[:, :, None]
        if self.rule == "mean":
            return np.asarray((stacked * counted).sum(axis=0) / counted.sum(axis=0))
        logs = (np.log(np.maximum(stacked, LEAST)) * counted).sum(axis=0)
        product = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(product / product.sum(axis=1, keepdims=True))
