"""Zero-shot classification: classes without training samples, recognised by texts about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import scipy
from pydantic import Field

from features.block import FloatArray, Form, Modality
from models.arrays import Labels, Probabilities
from models.classifier import Positive, Whole
from models.course import TrainsNetwork
from models.fusion import ClassTexts, Fit
from models.groups import UsesGroups
from models.matching import ComparesAsEncoded
from models.shared_space.contrastive import ContrastiveProjection
from models.shared_space.points import Sides
from models.shared_space.projections import (
    CanonicalCorrelation,
    EncodersSpace,
    Projection,
    TextSpace,
)
from models.shared_space.prototypes import prototypes, texts_in_turn
from models.unseen_classes import RecognisesUnseenClasses
from models.views import Views

Cosines = dict[Modality, FloatArray]


@dataclass(kw_only=True, eq=False, repr=False)
class ZeroShot(RecognisesUnseenClasses, ComparesAsEncoded, TrainsNetwork, UsesGroups):
    """Gives a sample the candidate class whose texts are the nearest to it in a shared space.

    The space, of pictures and texts, is learned from training samples that have both; no candidate
    has any among them. Where the encoders share a space already, only weight and temperature are
    chosen. With the unit vector a(m) of a sample's modality m in it, and the unit vector t_c of the
    mean of the unit vectors of class c's texts:

        s_c = (1 - w) a(image) . t_c + w a(text) . t_c
        p_c = exp(s_c / tau) / sum_k exp(s_k / tau),   over the candidates k

    `recognised_by` image or text leaves the other term out. The choice of the space makes it
    DeViSE-like regression onto texts ("text": Frome et al. 2013; Socher et al. 2013), canonical
    correlations ("cca"), CLIP's contrastive learning on these pairs ("contrastive": Radford et al.
    2021), or CLIP itself ("shared"). Parameters are chosen on inner folds that hold out classes too
    (Lampert et al. 2009, 2014: training and test classes are disjoint).

    A sample that lacks a modality is recognised by the other one; one that lacks all it may be
    recognised by gets the same probability for every candidate. A training sample that lacks one
    teaches nothing.

    Without descriptions the training classes are the candidates, described by the texts of their
    samples.

    Parameters
    ----------
    space : where pictures and texts are compared: see TextSpace, CanonicalCorrelation,
        ContrastiveProjection; "shared" as the encoders give them. By default "shared" where the
        encoders share a space, else "text".
    recognised_by : the modalities of a sample that are compared with the classes' texts.
    pairs : what training pictures are paired with: the text of their own row, or those of their
        class in turn (as the papers have it; rows then need no text).
    weight : w, the share of a sample's text in the comparison.
    temperature : tau, which cosines are divided by: the smaller, the surer.
    dimensions : most directions of the space.
    regularisation : how far covariances are drawn to a multiple of the unit matrix.
    reduce : most principal components of each modality.
    epochs : most passes over the pairs, of a space that is trained by passes.
    learning_rate : of such a space.
    random_state : see the space's projection.

    Attributes
    ----------
    classes_ : (K,) the candidates, sorted.
    prototypes_ : float32 (K, k), the unit vectors t_c; zeros for a class without any text.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    # The first of equals is chosen, as where a parameter makes no difference: never an end of its
    # range.
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {
        "regularisation": (0.5, 0.1, 0.3, 0.9),
        "weight": (0.5, 0.25, 0.75, 0.9),
        "temperature": (0.1, 0.01, 0.03, 0.3),
    }
    uses_class_texts: ClassVar[bool] = True

    space: Literal["text", "cca", "contrastive", "shared"] | None = None
    recognised_by: Sides = "both"
    pairs: Literal["rows", "classes"] = "rows"
    weight: Annotated[float, Field(gt=0, lt=1)] = 0.5
    temperature: Positive = 0.1
    dimensions: Whole = 64
    regularisation: Annotated[float, Field(gt=0, le=1)] = 0.5
    reduce: Whole = 256
    epochs: Whole = 60
    learning_rate: Positive = 1e-2
    random_state: int = 0

    @property
    def asked(self) -> tuple[Modality, ...]:
        """See Fusion.asked."""
        return ("image", "text") if self.recognised_by == "both" else (self.recognised_by,)

    @property
    def samples_need(self) -> tuple[Modality, ...]:
        """See Fusion.samples_need.

        With pairs of classes, rows need a text only to be recognised by it; so they do where no
        space is learned.
        """
        if self.space == "shared":
            return self.asked
        return ("image", "text") if self.pairs == "rows" or "text" in self.asked else ("image",)

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires: of the spaces, only one is learned by a network."""
        return ("torch",) if self.space == "contrastive" else ()

    @property
    def needs_shared_space(self) -> bool:
        """See ComparesAsEncoded.needs_shared_space."""
        return self.space == "shared"

    def on_encoders(self, share_space: bool) -> Self:
        """See ComparesAsEncoded.on_encoders: it settles the space that nobody has named."""
        if self.space is None:
            self.space = "shared" if share_space else "text"
        return self

    def fit(self, views: Views, y: Labels, class_texts: ClassTexts | None = None) -> Self:
        """Learn the space from n samples with labels (n,), and where candidates lie in it."""
        self._learn_from(views, y)
        y, texts = np.asarray(y), self._needed(views)["text"]
        if class_texts is None:
            self.classes_ = np.unique(y)
            class_texts = ClassTexts(y[texts.present], texts.take(texts.present))
        else:
            self.classes_ = class_texts.candidates(y)
        if class_texts.texts is None:
            raise ValueError("ZeroShot needs the classes' texts, not their names alone")
        if self.pairs == "classes":
            views = replace(views, text=texts_in_turn(class_texts, y))
        self.projection_ = self._projection().fit(views)
        self.prototypes_ = prototypes(self.projection_, class_texts, self.classes_)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        return self._probabilities(self._cosines(views), views)

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Fusion.predict_many; here weights and temperatures share a space."""
        return [self._predict_settings(fit, settings) for fit in fits]

    def course(self) -> dict[str, Any] | None:
        """See TrainsNetwork.course."""
        if not isinstance(self.projection_, ContrastiveProjection):
            return None
        history = self.projection_.history_
        return None if history is None else history.facts()

    def _predict_settings(
        self, fit: Fit, settings: Sequence[Mapping[str, Any]]
    ) -> list[Probabilities]:
        learned: dict[tuple[tuple[str, Any], ...], tuple[ZeroShot, Cosines]] = {}
        predicted = []
        for setting in settings:
            of_space = {
                name: value for name, value in setting.items() if self._shapes_the_space(name)
            }
            key = tuple(sorted(of_space.items()))
            if key not in learned:
                model = self.with_setting(of_space).fit(fit.train, fit.y, fit.class_texts)
                learned[key] = model, model._cosines(fit.test)
            model, cosines = learned[key]
            weighed = copy(model).set_params(**setting)
            predicted.append(weighed._probabilities(cosines, fit.test))
        return predicted

    def _shapes_the_space(self, name: str) -> bool:
        unused = {"regularisation"} if self.space in ("contrastive", "shared") else set()
        return name not in {"weight", "temperature"} | unused

    def _projection(self) -> Projection:
        """Unfitted projection with this fusion's parameters."""
        if self.space == "shared":
            return EncodersSpace()
        if self.space in (None, "text"):
            return TextSpace(
                regularisation=self.regularisation,
                reduce=self.reduce,
                random_state=self.random_state,
            )
        if self.space == "cca":
            return CanonicalCorrelation(
                dimensions=self.dimensions,
                regularisation=self.regularisation,
                reduce=self.reduce,
                random_state=self.random_state,
            )
        return ContrastiveProjection(
            dimensions=self.dimensions,
            reduce=self.reduce,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            random_state=self.random_state,
        )

    def _cosines(self, views: Views) -> Cosines:
        """Cosines (n, K) of each modality that samples are recognised by with all candidates."""
        return {
            modality: self.projection_.project(modality, block) @ self.prototypes_.T
            for modality, block in views.by_modality().items()
            if self.recognised_by in ("both", modality)
        }

    def _probabilities(self, cosines: Cosines, views: Views) -> Probabilities:
        shares: dict[Modality, float] = {"image": 1 - self.weight, "text": self.weight}
        blocks = views.by_modality()
        parts = {modality: shares[modality] * blocks[modality].present for modality in cosines}
        total = np.sum(list(parts.values()), axis=0)
        scores = np.zeros((len(views), len(self.classes_)))
        for modality, part in parts.items():
            scores += (part / np.where(total > 0, total, 1))[:, None] * cosines[modality]
        return np.asarray(
            scipy.special.softmax(scores / self.temperature, axis=1), dtype=np.float64
        )
