"""Labels that spread over graphs of nearest neighbours, one of pictures and one of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from features.block import Block, Form, Modality
from models.arrays import Codes, Labels, Probabilities
from models.classifier import Array, Positive, Whole
from models.early.baselines import SINGLE_MODALITY
from models.late.taught_members import TeachesMembers, surest
from models.preparation.scaling import BlockScaler
from models.views import Views

STEPS, TOLERANCE = 500, 1e-6  # of spreading: its error falls by `spread` in each step
DISSENT = 1e-3  # what the confidence in a label counts on which the modalities do not agree


@dataclass(kw_only=True, eq=False, repr=False)
class LabelPropagation(TeachesMembers):
    """Labels spread among near pictures and among near texts; what both say teaches classifiers.

    In each modality every sample with or without a label is joined to its nearest neighbours by
    cosine, with weights W_ij = exp(-sharpness (1 - cos_ij)), symmetric by the larger of both. With
    D the diagonal matrix of W's row sums and S = D^-1/2 W D^-1/2, labels Y spread to

        F = (1 - a) (I - a S)^-1 Y,    Y_ik = 1 / n_k for the n_k labelled samples i of class k

    (Zhou, Bousquet, Lal, Weston and Schoelkopf 2003, Learning with Local and Global Consistency);
    columns are brought to the class frequencies f of the labelled samples (class mass
    normalisation, Zhu, Ghahramani and Lafferty 2003), rows to a sum of 1. The product of both
    modalities' rows over f labels the unlabelled samples that have both: of each class k, those

        ceil(share * n_unlabelled * f(k))

    that are surest, first those on which both modalities agree. A classifier for each modality
    learns from true and guessed labels; guessed ones make it surer than it should be, so that a
    sample gets the mean of two products over the prior (as in late fusion): that of these
    classifiers, and that of classifiers which know the true labels alone.

    Only samples that it is fitted on are joined; what is predicted for others depends on none
    beside them. Without unlabelled samples this is late fusion by the product rule. A sample that
    lacks a modality teaches, and is judged by, its other one; one that lacks both gets f.

    Parameters
    ----------
    classifier : what classifies each modality's rows.
    neighbours : nearest neighbours that each sample is joined to.
    sharpness : how fast weights fall with the distance 1 - cos.
    spread : a, how much of its score a sample takes from its neighbours.
    share : of the unlabelled samples, how many get a label.

    Attributes
    ----------
    labelled_ : how many unlabelled samples got a label.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}

    neighbours: Whole = 10
    sharpness: Positive = 10.0
    spread: Annotated[float, Field(gt=0, lt=1)] = 0.9
    share: Annotated[float, Field(gt=0, le=1)] = 0.5

    def fit(self, views: Views, y: Labels, unlabelled: Views | None = None) -> Self:
        """Learn from n samples with labels (n,), and from those without."""
        views, codes, pool = self._pooled(views, y, unlabelled)
        labels = np.concatenate([codes, np.full(len(pool), -1)])
        self.members_ = self._members(views, dict.fromkeys(SINGLE_MODALITY, labels))
        self.taught_, self.labelled_ = self.members_, 0
        if len(pool) and len(self.classes_) > 1:
            quotas = np.ceil(self.share * len(pool) * self.frequencies_).astype(int)
            rows, guessed = surest(self._guesses(views, codes)[pool], quotas)
            labels[pool[rows]] = guessed
            self.taught_ = self._members(views, dict.fromkeys(SINGLE_MODALITY, labels))
            self.labelled_ = len(rows)
        return self

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        self._known(views)
        of_true_labels = self._product(self.members_, views)
        if not self.labelled_:
            return of_true_labels
        return np.asarray((of_true_labels + self._product(self.taught_, views)) / 2)

    def _guesses(self, views: Views, codes: Codes) -> Probabilities:
        """What both graphs say of all samples (n, K), more where they say the same.

        Parameters
        ----------
        codes : (l,) of the labelled samples, which are the first.
        """
        spread = [self._spread(views.blocks()[modality], codes) for modality in SINGLE_MODALITY]
        agree = np.ptp([scores.argmax(axis=1) for scores in spread], axis=0) == 0
        odds = np.prod(spread, axis=0) / self.frequencies_
        totals = odds.sum(axis=1, keepdims=True)
        certain = np.where(totals > 0, odds / np.where(totals > 0, totals, 1), self.frequencies_)
        return np.asarray(certain * np.where(agree, 1.0, DISSENT)[:, None])

    def _spread(self, block: Block, codes: Codes) -> Probabilities:
        """Scores (n, K) of all samples in one modality's graph, rows summing to 1.

        The class frequencies for a sample that lacks the modality, or that no label reaches.
        """
        from sklearn.preprocessing import normalize
        from sklearn.utils.extmath import row_norms

        scores = np.tile(self.frequencies_, (len(block), 1))
        rows = BlockScaler().fit(block).transform(block)
        there = np.flatnonzero(block.present & (row_norms(rows) > 0))
        labelled = there[there < len(codes)]
        if len(there) < 3 or not len(labelled):
            return scores
        seeds = np.zeros((len(there), len(self.frequencies_)))
        seeds[np.arange(len(labelled)), codes[labelled]] = 1.0
        seeds /= np.maximum(seeds.sum(axis=0), 1.0)
        graph = normalised(affinities(normalize(rows[there]), self.neighbours, self.sharpness))
        spread = spread_over(graph, seeds, self.spread)
        spread[:, seeds.sum(axis=0) == 0] = 1.0  # of what nobody shows, nothing is known here
        spread *= self.frequencies_ / np.maximum(spread.sum(axis=0), np.finfo(float).tiny)
        totals = spread.sum(axis=1)
        reached = totals > 0
        scores[there[reached]] = spread[reached] / totals[reached, None]
        return scores


def affinities(units: Array, neighbours: int, sharpness: float) -> scipy.sparse.csr_matrix:
    """Symmetric weights (n, n) of a graph that joins rows of norm 1 to their nearest ones.

    W_ij = exp(-sharpness (1 - cos_ij)) where j is among the nearest neighbours of i, or i of j.
    """
    from sklearn.neighbors import NearestNeighbors

    n = units.shape[0]
    count = min(neighbours, n - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(units)
    distances, nearest = search.kneighbors()  # of unit rows: |a - b|^2 = 2 (1 - cos)
    weights = np.exp(-sharpness * np.square(distances.astype(np.float64)) / 2)
    pointers = np.arange(0, n * count + 1, count)
    directed = scipy.sparse.csr_matrix((weights.ravel(), nearest.ravel(), pointers), shape=(n, n))
    return directed.maximum(directed.T).tocsr()


def normalised(weights: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    """S = D^-1/2 W D^-1/2 for the diagonal matrix D of the row sums of W."""
    degrees = np.asarray(weights.sum(axis=1)).ravel()
    roots = scipy.sparse.diags_array(1 / np.sqrt(np.maximum(degrees, np.finfo(float).tiny)))
    return scipy.sparse.csr_matrix(roots @ weights @ roots)


def spread_over(
    graph: scipy.sparse.csr_matrix, seeds: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """F = (1 - a) (I - a S)^-1 Y by the steps F <- a S F + (1 - a) Y, which converge to it.

    Parameters
    ----------
    graph : S (n, n), whose eigenvalues are 1 at most.
    seeds : Y (n, K).
    spread : a.
    """
    scores = seeds
    for _ in range(STEPS):
        moved = spread * (graph @ scores) + (1 - spread) * seeds
        change = np.abs(moved - scores).max()
        scores = moved
        if change <= TOLERANCE * (1 - spread) * seeds.max():
            break
    return scores
