"""Preconditioner of all problems: approximate Hessians, as `models.softmax.hessian` explains them.

Here all problems have the same leading columns, so that one product with the squares, and one with
the leading columns' products with each other, serve them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.softmax.hessian import LEAST_DIAGONAL
from models.softmax.torch_device.design import AT_ONCE, DesignMatrix
from models.softmax.torch_device.losses import Rows

# Order of the dense block, its columns at most, and the fewest worth it.
LARGEST_BLOCK, MOST_COLUMNS, FEWEST_COLUMNS = 512, 64, 10


class Penalties(NamedTuple):
    """What scales the columns of each problem.

    Attributes
    ----------
    of_columns : (P, 1, width), penalty of each column; 0 for the intercept
    factors : (P, 1, width), of the columns
    """

    of_columns: Tensor
    factors: Tensor

    def of(self, problems: Tensor) -> Penalties:
        """Those of some of the problems (int64)."""
        return Penalties(self.of_columns[problems], self.factors[problems])


class Preconditioner:
    """The Hessians at present probabilities: a dense block of leading columns, else a diagonal.

    Parameters
    ----------
    rows, P, wrong : see `Rows.others`
    leading : columns (q,) of the dense block; None to choose them
    """

    def __init__(self, design: DesignMatrix, rows: Rows, others: tuple[Tensor, Tensor],
                 penalties: Penalties, leading: Tensor | None) -> None:
        self._U = _directions(rows.mean_covariances(*others))
        r = self._U.shape[2]
        every = torch.arange(r, device=design.X.device)
        weights = rows.covariances(self._U, (every, every), *others).clamp_(min=0.0)
        squares = design.squares(weights) * penalties.factors.square()
        least = float(LEAST_DIAGONAL)
        self._diagonal = (squares + penalties.of_columns).clamp_(min=least)
        self.leading = _leading(design, squares) if leading is None else leading
        self._inverse: Tensor | None = None
        if len(self.leading):
            block = _block(design, rows, (self._U, *others), self.leading)
            factors = penalties.factors[:, 0, self.leading].repeat(1, r)
            block *= factors[:, :, None] * factors[:, None]
            penalty = penalties.of_columns[:, 0, self.leading].clamp(min=least).repeat(1, r)
            self._invert(block + torch.diag_embed(penalty))

    def _invert(self, block: Tensor) -> None:
        """Take the inverse of the Cholesky factor: its square stays positive definite.

        Where a penalty is as small as the rounding errors, the diagonal has to do.
        """
        factor, failed = torch.linalg.cholesky_ex(block)
        identity = torch.eye(block.shape[1], device=block.device)
        self._inverse = torch.linalg.solve_triangular(factor, identity, upper=False)
        sums = self._inverse.sum(dim=(1, 2), keepdim=True)
        self._has_block = (failed == 0)[:, None, None] & sums.isfinite()

    def keep(self, problems: Tensor) -> None:
        """Go on with some of the problems (int64)."""
        self._U, self._diagonal = self._U[problems], self._diagonal[problems]
        if self._inverse is not None:
            self._inverse, self._has_block = self._inverse[problems], self._has_block[problems]

    def solve(self, vectors: Tensor) -> Tensor:
        """Approximate inverse Hessians times `vectors` (P, K, width)."""
        in_directions = self._U.transpose(1, 2) @ vectors
        result = in_directions / self._diagonal
        if self._inverse is not None:
            part = in_directions[:, :, self.leading]
            block = self._inverse.transpose(1, 2) @ (self._inverse @ part.reshape(
                len(vectors), -1, 1))
            by_diagonal = result[:, :, self.leading]
            result[:, :, self.leading] = torch.where(
                self._has_block, block.view(part.shape), by_diagonal
            )
        return self._U @ result


def _directions(sums: Tensor) -> Tensor:
    """Eigenvectors (P, K, K - 1) of each mean covariance (P, K, K), without the constant one.

    Ascending; directions of classes that a problem does not have stand behind its own. Small
    matrices: the processor finds them sooner than a device.
    """
    matrices = sums.cpu().numpy()
    K = matrices.shape[1]
    absent = np.einsum("pkk->pk", matrices) == 0
    size = np.einsum("pkk->p", matrices)[:, None, None] + np.finfo(np.float32).tiny
    present = (~absent).astype(np.float64)
    constant = present[:, :, None] * present[:, None] / present.sum(axis=1)[:, None, None]
    vectors = np.linalg.eigh(
        matrices + 4 * size * constant + 2 * size * absent[:, :, None] * np.eye(K)
    )[1]
    return torch.from_numpy(vectors[:, :, :-1].astype(np.float32)).to(sums.device)


def _leading(design: DesignMatrix, squares: Tensor) -> Tensor:
    """The columns that vary most over all problems; none where too few would fit."""
    count = min(LARGEST_BLOCK // squares.shape[1], MOST_COLUMNS, design.width)
    if not design.rotated or count < FEWEST_COLUMNS:
        return torch.empty(0, dtype=torch.int64, device=squares.device)
    spread = squares.sum(dim=(0, 1))
    spread[design.intercept] = torch.inf
    return spread.topk(count).indices.sort().values


def _block(design: DesignMatrix, rows: Rows, at: tuple[Tensor, Tensor, Tensor],
           leading: Tensor) -> Tensor:
    """Hessians (P, rq, rq) of q leading columns in r directions, without penalty and factors.

    The rows' covariances of each pair of directions, times the products of each pair of columns.

    Parameters
    ----------
    at : directions (P, K, r), and what `Rows.others` gives
    """
    U, P, wrong = at
    r, q, device = U.shape[2], len(leading), U.device
    directions, columns = torch.tril_indices(r, r, device=device), torch.tril_indices(
        q, q, device=device)
    total = torch.zeros((len(U) * directions.shape[1], columns.shape[1]), device=device)
    step = max(1, AT_ONCE // max(total.shape))
    for start in range(0, len(design.X), step):
        part = slice(start, start + step)
        X = design.X[part][:, leading]
        covariances = rows.part(part).covariances(
            U, (directions[0], directions[1]), P[:, :, part], wrong[:, part])
        total += covariances.flatten(0, 1) @ (X[:, columns[0]] * X[:, columns[1]])
    by_pair = total.view(len(U), directions.shape[1], -1)
    full = by_pair[:, _symmetric(directions, r)][..., _symmetric(columns, q)]
    return full.permute(0, 1, 3, 2, 4).reshape(len(U), r * q, r * q)


def _symmetric(pairs: Tensor, size: int) -> Tensor:
    """Position (size, size) of each pair among the pairs of the lower triangle."""
    positions = torch.empty((size, size), dtype=torch.int64, device=pairs.device)
    numbers = torch.arange(pairs.shape[1], device=pairs.device)
    positions[pairs[0], pairs[1]] = numbers
    positions[pairs[1], pairs[0]] = numbers
    return positions
