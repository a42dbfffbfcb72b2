"""Late fusion: the probabilities of one classifier per modality, combined by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from features.block import Form, Modality, modality_of
from models.arrays import Codes, Labels, Probabilities
from models.combining import CombinesPredictions, InnerPredictions, MemberPredictions
from models.early.baselines import SINGLE_MODALITY, SingleModality
from models.fusion import TakesClassifier
from models.late.log_pool import log_pool
from models.late.rules import FIXED, LEARNED, complete, equal_weights, weighted_mean
from models.late.stacking import Stacker
from models.preparation.inner_folds import stratified_folds
from models.views import Views

FOLDS = 3
Rule = Literal[
    "mean", "product", "max", "majority", "weighted", "log_pool", "stacking", "selection"
]


@dataclass(kw_only=True, eq=False, repr=False)
class Late(TakesClassifier, CombinesPredictions):
    """Combines the probabilities p_m(k) that pictures and texts give by themselves.

    mean:       sum_m p_m(k) / M
    product:    pi(k)^(1 - M) prod_m p_m(k), normalised; pi is the class prior that the classifier's
                probabilities take for granted: the training class frequencies, or the same for
                every class where class_weight is balanced. This is the Bayes rule for modalities
                that are independent within each class (Kittler et al. 1998, On Combining
                Classifiers).
    max:        max_m p_m(k), normalised
    majority:   each modality votes for its most probable class; of classes with equal votes the
                mean decides
    weighted:   sum_m w_m p_m(k), the weights (w_m >= 0, adding up to 1) with the least log loss
    log_pool:   pi(k) prod_m (p_m(k) / pi(k))^w_m, normalised, the weights (w_m >= 0) with the least
                log loss: the logarithmic opinion pool (Genest and Zidek 1986; Heskes 1998,
                Selecting Weighting Factors in Logarithmic Opinion Pools). Each part is brought to
                the temperature 1 / w_m that suits it beside the others; the product rule
                (all w_m = 1) and each part by itself are its cases.
    stacking:   multinomial logistic regression on log p_m(k) (Wolpert 1992, Stacked Generalization)
    selection:  mean over models taken greedily, with replacement, from all single-modality models
                that a grid has for the classifier, whatever their encoders (Caruana et al. 2004);
                alone, from its own two.

    The last four are learned from predictions for the training samples that inner folds give: no
    model predicts a sample it was fitted on. A grid brings these with it; alone, `fit` draws 3
    stratified folds of whole groups (features that were learned from all training samples are not
    learned again). Where no such folds exist the mean is taken.

    M counts the modalities that a sample has; one with several encoders counts once for each, as
    each has a model of its own. A sample with one modality gets what that one's model gives (the
    mean of them, where selection or stacking knows several and none is selected), a sample with
    none the training class frequencies. Only samples with all modalities teach how to combine.

    Parameters
    ----------
    classifier : what classifies each modality's rows.
    rule : how the probabilities are combined.
    random_state : seed of the inner folds.

    Attributes
    ----------
    weights_ : (m,) weight of each member, for weighted, log_pool and selection.
    """

    version: ClassVar[int] = 4
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    takes_several: ClassVar[bool] = True
    combines: ClassVar[tuple[str, ...]] = ("image_only", "text_only")

    rule: Rule = "mean"
    random_state: int = 0

    @property
    def learns_combination(self) -> bool:
        """See CombinesPredictions.learns_combination."""
        return self.rule not in FIXED

    @property
    def combines_all(self) -> bool:
        """See CombinesPredictions.combines_all."""
        return self.rule == "selection"

    def fit(self, views: Views, y: Labels) -> Self:
        """Fit a classifier for each modality on n samples with labels (n,), and the rule."""
        self._learn_from(views, y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        inner = self._inner(views, codes) if self.learns_combination else None
        self.members_ = self._fitted(views, codes)
        return self.fit_combination(np.bincount(codes) / len(codes), inner)

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        return self.combine(_predicted(self.members_, views, len(self.classes_)))

    def fit_combination(self, frequencies: Probabilities, inner: InnerPredictions | None) -> Self:
        """See CombinesPredictions.fit_combination."""
        self.prior_ = self.classifier.prior(frequencies)
        known = None if inner is None else complete(inner)
        self.stacker_ = (
            Stacker.fit(known) if known is not None and self.rule == "stacking" else None
        )
        self.weights_ = (
            LEARNED[self.rule](known, self.prior_)
            if known is not None and self.rule in LEARNED
            else None
        )
        return self

    def combine(self, members: MemberPredictions) -> Probabilities:
        """See CombinesPredictions.combine."""
        if self.rule in FIXED:
            return FIXED[self.rule](members, self.prior_)
        weights = equal_weights(members) if self.weights_ is None else self.weights_
        combined = weighted_mean(members, weights)
        whole = np.flatnonzero(members.present.all(axis=0))
        known = MemberPredictions(members.probabilities[:, whole], members.present[:, whole])
        if self.stacker_ is not None:
            combined[whole] = self.stacker_.probabilities(known)
        elif self.rule == "log_pool" and self.weights_ is not None:
            combined[whole] = log_pool(known, self.prior_, self.weights_)
        return combined

    def _fitted(self, views: Views, codes: Codes) -> tuple[SingleModality, ...]:
        return tuple(
            SINGLE_MODALITY[modality_of(name)](self.classifier.unfitted()).fit(of_block, codes)
            for name, of_block in zip(self.block_widths_, views.block_by_block(), strict=True)
        )

    def _inner(self, views: Views, codes: Codes) -> InnerPredictions | None:
        """The members' predictions for the samples of inner folds; None where there are none."""
        splits = stratified_folds(codes, FOLDS, self.random_state, views.groups)
        if not splits:
            return None
        classes = int(codes.max()) + 1
        probabilities = np.zeros((len(self.block_widths_), len(codes), classes))
        folds = np.zeros(len(codes), dtype=np.int64)
        for number, (train, test) in enumerate(splits):
            members = self._fitted(views.take(train), codes[train])
            predicted = _predicted(members, views.take(test), classes)
            probabilities[:, test] = predicted.probabilities
            folds[test] = number
        return InnerPredictions(MemberPredictions(probabilities, _present(views)), codes, folds)


def _predicted(
    members: tuple[SingleModality, ...], views: Views, classes: int
) -> MemberPredictions:
    """Predictions of fitted members, whose classes are columns; 0 for classes they do not know."""
    probabilities = np.zeros((len(members), len(views), classes))
    for position, (member, of_block) in enumerate(
        zip(members, views.block_by_block(), strict=True)
    ):
        probabilities[position][:, member.classes_] = member.predict_proba(of_block)
    return MemberPredictions(probabilities, _present(views))


def _present(views: Views) -> NDArray[np.bool_]:
    return np.stack([block.present for block in views.blocks().values()])
