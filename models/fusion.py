"""The fusion contract: a scikit-learn estimator over Views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, Form, Modality, modality_of
from features.estimator import ClassifyingEstimator
from models.arrays import Labels, Probabilities
from models.classifier import Classifier, SolvesJointly, check_fitted
from models.views import Views


class ClassTexts(NamedTuple):
    """What classes are called or described by: m texts, one at least for each class.

    Parameters
    ----------
    classes : (m,), the class that each text describes.
    texts : Block of m samples; None for a fusion that needs no texts.
    """

    classes: Labels
    texts: Block | None = None

    def candidates(self, y: Labels) -> Labels:
        """Described classes that none of the training labels `y` is, sorted."""
        return np.setdiff1d(self.classes, y)

    def of(self, classes: Labels) -> ClassTexts:
        """The texts of some classes."""
        chosen = np.isin(self.classes, classes)
        return ClassTexts(
            self.classes[chosen], None if self.texts is None else self.texts.take(chosen)
        )


class Fit(NamedTuple):
    """One training set and the samples to predict from it.

    Parameters
    ----------
    unlabelled : further samples that may be learned from, without a label (None: there are none).
    class_texts : of the training classes and of those to be recognised, where these are other ones
        (None: the training classes are to be recognised).
    """

    train: Views
    y: Labels
    test: Views
    unlabelled: Views | None = None
    class_texts: ClassTexts | None = None


class Fusion(ClassifyingEstimator):
    """Classifies samples by picture, text or both. Subclass it, and register the class in `models`.

    The constructor only stores its typed parameters. Samples may lack a modality (see
    Block.present); the class documents what it does then. What only some fusions do is a class of
    its own to inherit from: TakesClassifier, CombinesPredictions (models.combining), TrainsNetwork
    (models.course), LearnsFromUnlabelled (models.unlabelled), RecognisesUnseenClasses
    (models.unseen_classes), UsesGroups (models.groups).

    Attributes
    ----------
    version : raised whenever predictions change for the same parameters and features.
    needs : the modalities it uses and the form of each: "pooled" vectors or a "sequence".
    takes_several : whether a modality may have several blocks, each of an encoder of its own.
    tuned : parameters chosen on inner folds, each with its default candidates.
    later : parameters that keys leave out where they are empty: results from before there were such
        parameters keep their keys.
    classes_ : (K,) sorted class labels, after `fit`.
    block_widths_ : width of each needed block, after `fit`.
    """

    version: ClassVar[int]
    needs: ClassVar[dict[Modality, Form]]
    takes_several: ClassVar[bool] = False
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {}
    later: ClassVar[frozenset[str]] = frozenset()
    classes_: NDArray[Any]
    block_widths_: dict[BlockName, int]

    @classmethod
    def tuned_with(cls, encoders: Mapping[Modality, int]) -> dict[str, tuple[Any, ...]]:
        """What inner folds choose beside `tuned` where a modality has several encoders.

        Parameters
        ----------
        encoders : number of encoders of each needed modality.
        """
        return {}

    @classmethod
    def steps_from(
        cls, setting: Mapping[str, Any], encoders: Mapping[Modality, int]
    ) -> list[dict[str, Any]]:
        """Settings a step away from one, which are tried where it is the best of those so far.

        Parameters
        ----------
        encoders : number of encoders of each needed modality.
        """
        return []

    @classmethod
    def is_simple(cls, setting: Mapping[str, Any]) -> bool:
        """Whether a setting is so much simpler that it is preferred where it may be as good."""
        return False

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,)."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Import what learning needs: seconds, once in a process, and no part of a fit's time."""
        import sklearn.linear_model  # noqa: F401

    def learn(self, fit: Fit) -> Self:
        """Fit on all that this fusion may learn from."""
        return self.fit(fit.train, fit.y)

    @property
    def asked(self) -> tuple[Modality, ...]:
        """The modalities of a sample that decide what is predicted of it."""
        return tuple(self.needs)

    @property
    def samples_need(self) -> tuple[Modality, ...]:
        """The modalities that samples must have for it to learn or predict.

        It may need others for the texts of classes.
        """
        return tuple(self.needs)

    def classes_of(self, fit: Fit) -> Labels:
        """`classes_` after learning from a fit: those of the training labels."""
        return np.unique(fit.y)

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        raise NotImplementedError

    def predict(self, views: Views) -> NDArray[Any]:
        """Most probable class of each sample (n,)."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(views), axis=1)])

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """Probabilities of every fit's test samples under every setting: result[fit][setting].

        This plain form fits a clone for each. An estimator that solves many training sets or
        settings together overrides it; the result must be the same, within the solver's tolerance.
        """
        return [[self.with_setting(setting).learn(fit).predict_proba(fit.test)
                 for setting in settings] for fit in fits]

    def _learn_from(self, views: Views, y: Labels) -> None:
        """Remember how wide the needed blocks are.

        Raises
        ------
        ValueError
            For labels that are no classes or do not fit the samples, no samples, a block that is
            not there, or several of a modality where one is taken.
        """
        from sklearn.utils.multiclass import check_classification_targets

        check_classification_targets(y)
        if len(y) != len(views) or not len(views):
            raise ValueError(
                f"{len(y)} labels for {len(views)} training samples: there must be one for each, "
                "and one at least"
            )
        blocks = self._needed(views)
        if len(blocks) > len(self.needs) and not self.takes_several:
            raise ValueError(
                f"{type(self).__name__} takes a single block of each modality; the samples have "
                f"{', '.join(blocks)} features"
            )
        self.block_widths_ = {name: block.width for name, block in blocks.items()}

    def _known(self, views: Views) -> None:
        """Raise NotFittedError before `fit`, ValueError for blocks unlike those fitted on."""
        check_fitted(self, "block_widths_")
        widths = {name: block.width for name, block in self._needed(views).items()}
        unlike = [
            f"{widths.get(name, 0)} {name} features instead of {self.block_widths_.get(name, 0)}"
            for name in {**self.block_widths_, **widths}
            if widths.get(name) != self.block_widths_.get(name)
        ]
        if unlike:
            raise ValueError(
                f"{type(self).__name__} was fitted on other features: the samples have "
                f"{', '.join(unlike)}"
            )

    def _needed(self, views: Views) -> dict[BlockName, Block]:
        """The blocks of the needed modalities, pictures first."""
        blocks = views.blocks()
        missing = [modality for modality in self.needs if modality not in blocks]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {' and '.join(missing)} features; the samples have "
                f"only {', '.join(blocks)} features"
            )
        return {name: block for name, block in blocks.items() if modality_of(name) in self.needs}

    def with_setting(self, setting: Mapping[str, Any]) -> Self:
        """Unfitted copy with some parameters set."""
        return self.unfitted().set_params(**setting)


@dataclass(eq=False, repr=False)
class TakesClassifier(Fusion):
    """A fusion that leaves classification to a classifier; the grid's classifiers apply to it.

    Parameters
    ----------
    classifier : what classifies rows, unfitted.
    """

    classifier: Classifier


def solves_jointly(estimator: Fusion) -> bool:
    """Whether its classifier takes scaled blocks as they are, and many training sets together."""
    return isinstance(estimator, TakesClassifier) and isinstance(
        estimator.classifier, SolvesJointly
    )
