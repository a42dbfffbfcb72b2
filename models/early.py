"""Early fusion: the pooled blocks side by side, classified as one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.base import clone

from features.encoder import Form, Modality
from models.classifiers import ArrayFit, Classifier, Whole
from models.fusion import Fit, Fusion, Labels, Probabilities
from models.scaling import BlockScaler, ReducedScaler, Scaler, scaled_views
from models.views import Views

OF_CLASSIFIER = "classifier__"


class PooledFusion(Fusion):
    """Scales each pooled block it needs, puts them side by side, and lets the classifier do the rest.

    A sample that lacks one of the modalities has zeros in its place: the mean of the training rows. A
    sample that lacks all of them teaches nothing, and gets the class frequencies of the training rows.
    """

    classifier: Classifier

    def _shares(self) -> dict[Modality, float]:
        """Each needed modality's share of the squared norm; they add up to 1."""
        raise NotImplementedError

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,)."""
        self._prepare(Fit(views, y, views))
        self._fit_classifier(views, y)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        return self._completed(self.classifier_.predict_proba(self._array(views)), views)

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Fusion.predict_many; here blocks are scaled once for all settings of the classifier."""
        found: dict[tuple[int, int], Probabilities] = {}
        for own, positions in self._by_own_setting(settings).items():
            scaled = [self.with_setting(dict(own))._prepare(fit) for fit in fits]
            arrays = (one._array_fit(fit) for one, fit in zip(scaled, fits, strict=True))
            inner = [{name.removeprefix(OF_CLASSIFIER): value for name, value in settings[position].items()
                      if name.startswith(OF_CLASSIFIER)} for position in positions]
            for number, many in enumerate(self.classifier.predict_many(arrays, inner)):
                for position, one in zip(positions, many, strict=True):
                    found[number, position] = scaled[number]._completed(one, fits[number].test)
        return [[found[number, position] for position in range(len(settings))] for number in range(len(fits))]

    @staticmethod
    def _by_own_setting(settings: Sequence[Mapping[str, Any]]) -> dict[tuple[tuple[str, Any], ...], list[int]]:
        """Positions of the settings that share everything but the classifier's parameters."""
        groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
        for position, setting in enumerate(settings):
            own = tuple((name, value) for name, value in setting.items() if not name.startswith(OF_CLASSIFIER))
            groups.setdefault(own, []).append(position)
        return groups

    def _prepare(self, fit: Fit) -> Self:
        """Learn from the training samples all that comes before the classifier."""
        self._learn_classes(fit.train, fit.y)
        blocks = fit.train.blocks()
        self.scalers_ = {modality: self._scaler().fit(blocks[modality]) for modality in self.needs}
        return self

    def _learn_classes(self, views: Views, y: Labels) -> None:
        self.classes_, counts = np.unique(y, return_counts=True)
        self.frequencies_ = counts / counts.sum()
        self.learned_ = np.isin(self.classes_, np.asarray(y)[self._taught(views)])

    def _scaler(self) -> Scaler:
        """What brings a block to one scale, unfitted."""
        return BlockScaler()

    def _widths(self) -> tuple[int, ...]:
        """Number of columns of each scaled block."""
        return tuple(scaler.width_ for scaler in self.scalers_.values())

    def _seen(self, views: Views) -> NDArray[np.bool_]:
        """Which samples have any of the needed modalities."""
        blocks = views.blocks()
        return np.asarray(np.any([blocks[modality].present for modality in self.needs], axis=0))

    def _taught(self, views: Views) -> NDArray[np.bool_]:
        """Which training samples the classifier learns from: all, if none has a needed modality."""
        seen = self._seen(views)
        return seen if seen.any() else ~seen

    def _fit_classifier(self, views: Views, y: Labels) -> None:
        nobody = views.take(np.array([], dtype=np.int64))
        fit = self._array_fit(Fit(views, y, nobody))
        self.classifier_ = clone(self.classifier).fit(fit.train, fit.y, fit.widths, fit.groups)

    def _array_fit(self, fit: Fit) -> ArrayFit:
        """What the classifier learns from, and the rows it is asked about."""
        rows = np.flatnonzero(self._taught(fit.train))
        train = fit.train.take(rows)
        return ArrayFit(self._training_array(train), np.asarray(fit.y)[rows], self._array(fit.test), self._widths(),
                        train.groups)

    def _training_array(self, views: Views) -> Any:
        return self._array(views)

    def _array(self, views: Views) -> Any:
        return scaled_views(views, self.scalers_, self._shares())

    def _completed(self, probabilities: Probabilities, views: Views) -> Probabilities:
        """Columns for all classes, and the training frequencies for samples with no needed modality."""
        complete = np.zeros((len(views), len(self.classes_)))
        complete[:, self.learned_] = probabilities
        complete[~self._seen(views)] = self.frequencies_
        return complete


class Concat(PooledFusion):
    """Early fusion: [sqrt(1 - w) a, sqrt(w) b] for scaled picture features a and text features b.

    Both blocks have mean squared norm 1 over the training rows (BlockScaler), so their concatenation has
    it for every weight, and C need not change with the weight. With equal shares the better modality can
    be drowned by the other, so the weight is chosen on the inner folds.

    Parameters
    ----------
    classifier : what classifies the concatenated rows.
    weight : the text's share w of the squared norm.
    components : reduce each wider block to this many principal components first (CSR by truncated singular
        value decomposition, without making it dense); none where not given.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"weight": (0.25, 0.5, 0.75)}

    def __init__(
        self, classifier: Classifier, weight: Annotated[float, Field(gt=0, lt=1)] = 0.5, components: Whole | None = None
    ) -> None:
        self.classifier = classifier
        self.weight = weight
        self.components = components

    def _scaler(self) -> Scaler:
        return BlockScaler() if self.components is None else ReducedScaler(self.components)

    def _shares(self) -> dict[Modality, float]:
        return {"image": 1 - self.weight, "text": self.weight}
