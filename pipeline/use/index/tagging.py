"""Tags of pictures and texts: labels whose words come near, or tags that an index's items have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, Modality
from pipeline.metrics.multilabel import MultilabelScores, best_threshold, multilabel_scores
from pipeline.use.index.index import Index
from pipeline.use.index.question import Term
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError
from reports.wording import count

FEWEST = 20  # items that have a tag: with fewer nothing is learned of where a threshold lies
RARE = 8  # items that a tag must have to be learned, so that some are left out, too
HELD_OUT = 4  # one in so many items is left out to measure by
WORDS = re.compile(r"\w+")
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class Tag:
    """A tag and how sure it is, on the scale of the threshold."""

    label: str
    score: float


@dataclass(frozen=True, eq=False)
class Tagger:
    """Scores of tags, the score from which on an item has a tag, and how well that does.

    Parameters
    ----------
    labels : K names.
    threshold : of the scores.
    measured : on items that were left out; None where there were too few.
    note : a sentence about what it learned from.
    """

    labels: tuple[str, ...]
    threshold: float
    measured: MultilabelScores | None
    note: str

    def scores(self, terms: Sequence[Term]) -> FloatArray:
        """Scores (K,) of an item that is given by a picture, a text or both."""
        raise NotImplementedError

    def tags(self, terms: Sequence[Term], most: int) -> list[Tag]:
        """The tags of an item, the surest first."""
        scores = self.scores(terms)
        order = np.argsort(-scores, kind="stable")[:most]
        return [
            Tag(self.labels[at], float(scores[at]))
            for at in order
            if scores[at] >= self.threshold
        ]

    def lines(self) -> list[str]:
        """What it learned from and how well it does, in sentences."""
        if self.measured is None:
            return [self.note]
        scores = self.measured
        return [
            f"{self.note}; on {count(scores.items, 'item')} left out: mAP {scores.mean_average:.3f}"
            f", micro F1 {scores.micro_f1:.3f}, macro F1 {scores.macro_f1:.3f}"
        ]


@dataclass(frozen=True, eq=False)
class WordTagger(Tagger):
    """Tags by the cosine of an item with each label's words.

    A label is nearer to everything than another one: so its cosines are counted from their mean
    over the items of the index, in standard deviations.
    """

    index: Index
    vectors: Mapping[Space, FloatArray]  # of the labels (K, k)
    moments: Mapping[Space, tuple[FloatArray, FloatArray]]

    def scores(self, terms: Sequence[Term]) -> FloatArray:
        """See Tagger."""
        scores = []
        for term in terms:
            space = _space(term.modality)
            if space in self.vectors:
                item = self.index.files.spaces.vectors(term.modality, [term.content])[space]
                scores.append(_standardised(item @ self.vectors[space].T, self.moments[space])[0])
        if not scores:
            raise BundleError("this index cannot compare words with pictures: give --text")
        return np.asarray(np.mean(scores, axis=0), np.float32)


@dataclass(frozen=True, eq=False)
class ColumnTagger(Tagger):
    """Tags that items of the index have in a column, by logistic regression on their vectors."""

    index: Index
    modalities: tuple[Modality, ...]
    model: Any

    def scores(self, terms: Sequence[Term]) -> FloatArray:
        """See Tagger."""
        contents: dict[Modality, Any] = {term.modality: term.content for term in terms}
        parts = [
            self.index.files.spaces.vectors(modality, [contents.get(modality)])[
                Space(modality, shared=False)
            ]
            for modality in self.modalities
        ]
        return np.asarray(self.model.predict_proba(np.hstack(parts))[0], np.float32)


def word_tagger(index: Index, labels: Sequence[str]) -> WordTagger:
    """A tagger by words. Its threshold is learned from items whose text holds a label's words.

    Raises
    ------
    BundleError
        Where the index cannot compare words with anything.
    """
    if "text" not in index.files.spaces.encoders:
        raise BundleError("this index knows pictures only: it cannot tell what labels mean")
    words = index.files.spaces.vectors("text", list(labels))
    vectors = {
        _space(modality): words[Space("text", shared=modality == "image")]
        for modality in index.modalities
        if modality == "text" or index.files.spaces.projection is not None
    }
    compared: Modality = "image" if _space("image") in vectors else "text"
    cosines = {
        space: np.asarray(index.files.vectors[space]) @ of_labels.T
        for space, of_labels in vectors.items()
    }
    moments = {space: _moments(values, index, space) for space, values in cosines.items()}
    truth = _said(index, labels)
    there = index.files.present[compared] & truth.any(axis=1)
    if there.sum() < FEWEST:
        note = f"fewer than {FEWEST} items say one of the labels: the threshold is 2 deviations"
        return WordTagger(tuple(labels), 2.0, None, note, index, vectors, moments)
    space = _space(compared)
    scores = _standardised(cosines[space][there], moments[space])
    threshold, measured = _learned(scores, truth[there])
    note = f"threshold learned from {count(int(there.sum()), 'item')} whose text says a label"
    return WordTagger(tuple(labels), threshold, measured, note, index, vectors, moments)


def column_tagger(
    index: Index, column: str, separator: str, given: Sequence[Modality]
) -> ColumnTagger:
    """A tagger of the tags that items have in a column; of those that `RARE` items have at least.

    Parameters
    ----------
    given : the modalities that will be known of whatever is to be tagged.

    Raises
    ------
    BundleError
        Where there is no such column, or too few items have tags.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    values = [_tags(value, separator) for value in index.column(column)]
    counts = Counter(chain.from_iterable(values))
    labels = sorted(label for label, items in counts.items() if items >= RARE)
    modalities = tuple(modality for modality in index.modalities if modality in given)
    X = np.hstack([
        np.asarray(index.files.vectors[Space(modality, shared=False)]) for modality in modalities
    ])
    present = [index.files.present[modality] for modality in modalities]
    there = np.array([bool(tags) for tags in values]) & np.any(present, axis=0)
    if there.sum() < FEWEST or len(labels) < 2:
        raise BundleError(
            f"column '{column}' has {count(len(labels), 'tag')} that {RARE} items have, on "
            f"{count(int(there.sum()), 'item')}: two tags and {FEWEST} items are the fewest to "
            "learn from"
        )
    truth = np.array([[label in tags for label in labels] for tags in values])
    X, truth = X[there], truth[there]
    held_out = _held_out(len(X))
    model = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=1000))
    left_out = model.fit(X[~held_out], truth[~held_out]).predict_proba(X[held_out])
    threshold, measured = _learned(left_out, truth[held_out])
    note = f"learned from {count(len(X), 'item')} with {count(len(labels), 'tag')}"
    if len(counts) > len(labels):
        note += f" ({count(len(counts) - len(labels), 'more tag is', 'more tags are')} too rare)"
    model.fit(X, truth)
    return ColumnTagger(tuple(labels), threshold, measured, note, index, modalities, model)


def _tags(value: str | None, separator: str) -> set[str]:
    return {tag.strip() for tag in (value or "").split(separator)} - {""}


def _space(modality: Modality) -> Space:
    """Where words meet a modality: texts in their own space, pictures in the one for both."""
    return Space(modality, shared=modality == "image")


def _learned(scores: FloatArray, truth: Truth) -> tuple[float, MultilabelScores]:
    """The threshold with the best micro F1 on some items, and how it does on the others."""
    held_out = _held_out(len(scores))
    threshold = best_threshold(scores[~held_out], truth[~held_out])
    return threshold, multilabel_scores(scores[held_out], truth[held_out], threshold)


def _held_out(n: int) -> NDArray[np.bool_]:
    """Bool (n,): one in `HELD_OUT`, at random; the seed is fixed."""
    return np.asarray(np.random.default_rng(0).permutation(n) % HELD_OUT == 0)


def _moments(
    cosines: FloatArray, index: Index, space: Space
) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (K,) over the items that have the modality."""
    values = cosines[index.files.present[space.modality]]
    return values.mean(axis=0), np.maximum(values.std(axis=0), 1e-6)


def _standardised(cosines: FloatArray, moments: tuple[FloatArray, FloatArray]) -> FloatArray:
    mean, deviation = moments
    return np.asarray((cosines - mean) / deviation, np.float32)


def _said(index: Index, labels: Sequence[str]) -> Truth:
    """Bool (n, K): whether an item's text holds all words of a label."""
    texts = [set(WORDS.findall((text or "").lower())) for text in index.files.column("text")]
    words = [set(WORDS.findall(label.lower())) for label in labels]
    return np.array([[of_label <= text for of_label in words] for text in texts], np.bool_)
