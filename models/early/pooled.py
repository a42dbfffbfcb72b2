"""Fusions of pooled blocks: a classifier over rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from models.classifier import ArrayFit, Classifier, SolvesJointly
from models.fusion import Fit, Labels, Probabilities, TakesClassifier
from models.preparation.scaling import BlockScaler, Scaler, scaled_views
from models.views import BlocksFit, ScaledBlock, Views

OF_CLASSIFIER = "classifier__"


class _Case(NamedTuple):
    """A training set under settings that share all but the classifier's parameters: one preparation serves them."""

    fusion: PooledFusion
    number: int
    positions: Sequence[int]
    of_classifier: Sequence[Mapping[str, Any]]


class PooledFusion(TakesClassifier):
    """Scales each pooled block it needs, puts them side by side, and lets the classifier do the rest.

    A sample that lacks one of the modalities has zeros in its place: the mean of the training rows.
    A sample that lacks all of them teaches nothing, and gets the class frequencies of the training
    rows.
    """

    # parameters that `_prepare` does not look at
    after_preparation: ClassVar[frozenset[str]] = frozenset()
    classifier_: Classifier

    def _shares(self) -> dict[Modality, float]:
        """Each needed modality's share of the squared norm, adding up to 1; none where `_array` joins otherwise."""
        return {}

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,)."""
        fit = Fit(views, y, views)
        self._prepare(fit)
        if isinstance(self.classifier, SolvesJointly) and (blocks := self._blocks(fit)):
            self.classifier_ = self.classifier.unfitted().fit_jointly(blocks)
        else:
            self._fit_classifier(views, y)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        return self._completed(self.classifier_.predict_proba(self._array(views)), views)

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Fusion.predict_many; here blocks are scaled once for all settings of the classifier."""
        cases = self._cases(fits, settings)
        found: dict[tuple[int, int], Probabilities] = {}
        for case, many in zip(cases, self._predicted(cases, fits), strict=True):
            for position, one in zip(case.positions, many, strict=True):
                found[case.number, position] = case.fusion._completed(one, fits[case.number].test)
        return [
            [found[number, position] for position in range(len(settings))]
            for number in range(len(fits))
        ]

    def _cases(self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]) -> list[_Case]:
        """Every training set under every setting of the fusion's own parameters, prepared."""
        prepared: dict[tuple[Any, ...], PooledFusion] = {}
        cases = []
        for own, positions in self._by_own_setting(settings).items():
            for number, fit in enumerate(fits):
                key = (
                    number,
                    tuple(
                        (name, value) for name, value in own if name not in self.after_preparation
                    ),
                )
                if key not in prepared:
                    prepared[key] = self.with_setting(dict(own))._prepare(fit)
                cases.append(
                    _Case(
                        copy(prepared[key]).set_params(**dict(own)),
                        number,
                        positions,
                        [
                            {
                                name.removeprefix(OF_CLASSIFIER): value
                                for name, value in settings[position].items()
                                if name.startswith(OF_CLASSIFIER)
                            }
                            for position in positions
                        ],
                    )
                )
        return cases

    def _predicted(
        self, cases: Sequence[_Case], fits: Sequence[Fit]
    ) -> Iterator[list[Probabilities]]:
        """Probabilities of every case's test samples: all at once where the classifier can take blocks as they are."""
        if isinstance(self.classifier, SolvesJointly):
            blocks = [case.fusion._blocks(fits[case.number]) for case in cases]
            scaled = [fit for fit in blocks if fit is not None]
            if len(scaled) == len(cases):
                of_classifier = [case.of_classifier for case in cases]
                yield from self.classifier.predict_jointly(scaled, of_classifier)
                return
        for case in cases:
            yield from self.classifier.predict_many(
                [case.fusion._array_fit(fits[case.number])], case.of_classifier
            )

    def _blocks(self, fit: Fit) -> BlocksFit | None:
        """The fit as scaled blocks; None where samples lack one, or where a block is more than scaled."""
        blocks, shares, train = fit.train.blocks(), self._shares(), []
        if not shares or len(self.classes_) < 2:
            return None
        for modality, scaler in self.scalers_.items():
            block = blocks[modality]
            if not (isinstance(scaler, BlockScaler) and scaler.scale_ > 0 and block.present.all()):
                return None
            train.append(
                ScaledBlock(block, scaler.mean_, float(scaler.scale_ * np.sqrt(shares[modality])))
            )
        test = fit.test.blocks()
        known = all(test[modality].present.all() and test[modality].values is one.block.values
                    for modality, one in zip(self.scalers_, train, strict=True))
        return (
            BlocksFit(
                tuple(train), np.asarray(fit.y), tuple(test[modality] for modality in self.scalers_)
            )
            if known
            else None
        )

    @staticmethod
    def _by_own_setting(
        settings: Sequence[Mapping[str, Any]],
    ) -> dict[tuple[tuple[str, Any], ...], list[int]]:
        """Positions of the settings that share everything but the classifier's parameters."""
        groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
        for position, setting in enumerate(settings):
            own = tuple(
                (name, value)
                for name, value in setting.items()
                if not name.startswith(OF_CLASSIFIER)
            )
            groups.setdefault(own, []).append(position)
        return groups

    def _prepare(self, fit: Fit) -> Self:
        """Learn from the training samples all that comes before the classifier."""
        self._learn_classes(fit.train, fit.y)
        blocks = fit.train.blocks()
        self.scalers_ = {modality: self._scaler().fit(blocks[modality]) for modality in self.needs}
        return self

    def _learn_classes(self, views: Views, y: Labels) -> None:
        self._learn_from(views, y)
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
        self.classifier_ = self.classifier.unfitted().fit(fit.train, fit.y, fit.widths, fit.groups)

    def _array_fit(self, fit: Fit) -> ArrayFit:
        """What the classifier learns from, and the rows it is asked about."""
        rows = np.flatnonzero(self._taught(fit.train))
        train = fit.train.take(rows)
        return ArrayFit(
            self._training_array(train),
            np.asarray(fit.y)[rows],
            self._array(fit.test),
            self._widths(),
            train.groups,
        )

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
