"""Fusions of pooled blocks: a classifier over rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.advance import advance
from features.block import BlockName
from models.arrays import Labels, Probabilities
from models.classifier import Array, ArrayFit, Classifier, SolvesJointly
from models.early.settings import SharedSetting, shared_settings
from models.fusion import Fit, TakesClassifier
from models.preparation.scaling import BlockScaler, Scaler, scaled_blocks, scaled_views
from models.views import BlocksFit, Views

AT_ONCE = 2**15  # samples that are predicted at once: more would not fit into memory


class _Case(NamedTuple):
    """A training set, prepared once for all settings that differ in the classifier only."""

    fusion: PooledFusion
    number: int
    setting: SharedSetting


def _parts(samples: int) -> list[NDArray[np.int64]]:
    """Positions of consecutive samples that are predicted at once; one part where there is none."""
    starts = range(0, max(samples, 1), AT_ONCE)
    return [np.arange(start, min(start + AT_ONCE, samples)) for start in starts]


class PooledFusion(TakesClassifier):
    """Scales each pooled block it needs, joins them, and lets the classifier do the rest.

    A sample that lacks one of the modalities has zeros in its place: the mean of the training rows.
    A sample that lacks all of them teaches nothing, and gets the class frequencies of the training
    rows.
    """

    # parameters that `_prepare` does not look at
    after_preparation: ClassVar[frozenset[str]] = frozenset()
    classifier_: Classifier

    def shares(self) -> dict[BlockName, float]:
        """Each needed block's share of the squared norm, adding up to 1; after `_prepare`.

        No shares where `_array` joins blocks otherwise.
        """
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
        parts = [views.take(part) for part in _parts(len(views))]
        return np.concatenate(
            [self._completed(self._of_classifier(part), part) for part in parts]
        )

    def _of_classifier(self, views: Views) -> Probabilities:
        return self.classifier_.predict_proba(self._array(views))

    def compared(self, fit: Fit, known: Views, asked: Views) -> tuple[Array, Array]:
        """Rows that the classifier is given, after what comes before it has learned from a fit.

        Parameters
        ----------
        known, asked : n and m samples, as what is learned from and as what is predicted.

        Returns
        -------
        Of `known` (n, d) and of `asked` (m, d).
        """
        self._prepare(fit)
        return self._training_array(known), self._array(asked)

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Fusion.predict_many; here blocks are scaled once for all settings of a classifier."""
        cases = self._cases(fits, settings)
        predicted: dict[tuple[int, int], Probabilities] = {}
        for case, of_settings in zip(cases, self._predicted(cases, fits), strict=True):
            test = fits[case.number].test
            for position, learned in zip(case.setting.positions, of_settings, strict=True):
                predicted[case.number, position] = case.fusion._completed(learned, test)
        return [
            [predicted[number, position] for position in range(len(settings))]
            for number in range(len(fits))
        ]

    def _cases(self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]) -> list[_Case]:
        """Every training set under every setting of the fusion's own parameters, prepared."""
        prepared: dict[tuple[Any, ...], PooledFusion] = {}
        cases = []
        for setting in shared_settings(settings):
            parameters = dict(setting.of_fusion)
            for number, fit in enumerate(fits):
                key = (number, setting.without(self.after_preparation))
                if key not in prepared:
                    prepared[key] = self.with_setting(parameters)._prepare(fit)
                fusion = copy(prepared[key]).set_params(**parameters)
                cases.append(_Case(fusion, number, setting))
        return cases

    def _predicted(
        self, cases: Sequence[_Case], fits: Sequence[Fit]
    ) -> Iterator[list[Probabilities]]:
        """Probabilities of every case's test samples.

        All at once where the classifier can take the blocks as they are.
        """
        if isinstance(self.classifier, SolvesJointly):
            blocks = [case.fusion._blocks(fits[case.number]) for case in cases]
            scaled = [fit for fit in blocks if fit is not None]
            if len(scaled) == len(cases):
                of_classifier = [case.setting.of_classifier for case in cases]
                yield from self.classifier.predict_jointly(scaled, of_classifier)
                return
        for number, case in enumerate(cases):
            advance(number, len(cases), "inner fits")
            yield from self.classifier.predict_many(
                [case.fusion._array_fit(fits[case.number])], case.setting.of_classifier
            )

    def _blocks(self, fit: Fit) -> BlocksFit | None:
        """The fit as scaled blocks; None where the classifier has to be given rows."""
        shares = self.shares()
        if not shares or len(self.classes_) < 2:
            return None
        train = scaled_blocks(fit.train, self.scalers_, shares)
        if train is None:
            return None
        blocks = fit.test.blocks()
        test = tuple(blocks[name] for name in self.scalers_)
        for block, scaled in zip(test, train, strict=True):
            if not block.present.all() or block.values is not scaled.block.values:
                return None
        return BlocksFit(train, np.asarray(fit.y), test)

    def _prepare(self, fit: Fit) -> Self:
        """Learn from the training samples all that comes before the classifier."""
        self._learn_classes(fit.train, fit.y)
        blocks = self._needed(fit.train)
        self.scalers_ = {name: self._scaler().fit(block) for name, block in blocks.items()}
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
        blocks = self._needed(views).values()
        return np.asarray(np.any([block.present for block in blocks], axis=0))

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

    def _training_array(self, views: Views) -> Array:
        return self._array(views)

    def _array(self, views: Views) -> Array:
        return scaled_views(views, self.scalers_, self.shares())

    def _completed(self, probabilities: Probabilities, views: Views) -> Probabilities:
        """Columns for all classes; the training frequencies for samples with no needed modality."""
        complete = np.zeros((len(views), len(self.classes_)))
        complete[:, self.learned_] = probabilities
        complete[~self._seen(views)] = self.frequencies_
        return complete
