"""Cross-entropy of all problems' rows by their logits, counted from each row's label.

P problems share n rows of K classes. With z_k the logit of class k minus that of the label, a row's
loss is log sum_k exp(z_k), and what the label itself would add to a derivative is zero: so nothing
is lost where its probability is almost 1 (see `models.softmax.losses`). A class that is not among a
problem's training rows has the logit -inf.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Rows:
    """What the problems learn from.

    Parameters
    ----------
    codes : (n,) int64, class 0..K-1 of each row
    weights : (P, n), weight of each row in each problem; 0 where it does not learn from it
    classes : K
    """

    def __init__(self, codes: Tensor, weights: Tensor, classes: int) -> None:
        self.codes, self.weights, self.classes = codes, weights, classes
        every = torch.arange(classes, device=codes.device)
        self.is_label = (every[:, None] == codes)[None]  # (1, K, n)

    def keep(self, problems: Tensor) -> None:
        """Go on with some of the problems (int64)."""
        self.weights = self.weights[problems]

    def from_label(self, logits: Tensor) -> Tensor:
        """Logits (P, K, n) minus that of each row's label."""
        return logits - self._at_label(logits)

    def _at_label(self, logits: Tensor) -> Tensor:
        index = self.codes.expand(len(logits), 1, -1)
        return logits.gather(1, index)

    def others(self, Z: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (P, K, n) of the classes that are not the label, 0 for it; their sums."""
        P = torch.softmax(Z, dim=1).masked_fill_(self.is_label, 0.0)
        return P, P.sum(dim=1)

    def residuals(self, P: Tensor, wrong: Tensor) -> Tensor:
        """Derivative (P, K, n) of the losses by the logits, from what `others` gives."""
        residuals = torch.where(self.is_label, -wrong[:, None], P)
        return residuals.mul_(self.weights[:, None])

    def losses(self, Z: Tensor, wrong: Tensor) -> Tensor:
        """The weighted loss (P,) of each problem, float64."""
        loss = torch.where(
            wrong < 0.5, -torch.log1p(-wrong.clamp(max=0.5)), torch.logsumexp(Z, dim=1)
        )
        return (loss * self.weights).sum(dim=1, dtype=torch.float64)

    def derivatives(self, P: Tensor, D: Tensor) -> tuple[Tensor, Tensor]:
        """First and second derivative (P,) of the losses along changes D of Z; float64.

        P may hold the label's probabilities: there, D is zero.
        """
        products = P * D
        means = products.sum(dim=1)
        squares = products.mul_(D).sum(dim=1)
        squares.addcmul_(means, means, value=-1.0)
        return self._summed(means), self._summed(squares)

    def _summed(self, of_rows: Tensor) -> Tensor:
        return of_rows.mul_(self.weights).sum(dim=1, dtype=torch.float64)

    def mean_covariances(self, P: Tensor, wrong: Tensor) -> Tensor:
        """Weighted sums (P, K, K) of diag(p) - pp' over the rows, float64; they sum to zero."""
        full = torch.where(self.is_label, 1.0 - wrong[:, None], P)
        sums = -((full * self.weights[:, None]) @ full.transpose(1, 2)).double()
        sums.diagonal(dim1=1, dim2=2).zero_()
        return sums - torch.diag_embed(sums.sum(dim=2))

    def covariances(
        self, U: Tensor, pairs: tuple[Tensor, Tensor], P: Tensor, wrong: Tensor
    ) -> Tensor:
        """Weighted covariances (P, c, n) of c pairs of directions under each row's probabilities.

        Parameters
        ----------
        U : (P, K, r), directions
        pairs : (c,) each, positions of the first and the second direction of each pair
        P, wrong : see `others`; of all rows, or of those that `slice` gives
        """
        first, second = pairs
        at_label = U.transpose(1, 2)[:, :, self.codes]
        sums = U.transpose(1, 2) @ P
        means = sums - at_label * wrong[:, None]
        covariances = (U[:, :, first] * U[:, :, second]).transpose(1, 2) @ P
        covariances -= (at_label[:, first] + means[:, first]) * means[:, second]
        covariances -= at_label[:, second] * sums[:, first]
        return covariances.mul_(self.weights[:, None])

    def part(self, rows: slice) -> Rows:
        """Some of the rows."""
        return Rows(self.codes[rows], self.weights[:, rows], self.classes)
