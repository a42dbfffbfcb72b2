"""Blocks of the design matrix on the device, in the axes of their principal components.

As `models.softmax.design_matrix.principal_axes`, without its leading axes: where finding all of
them does not pay, the columns are only centred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.kept import RECENT
from models.softmax.design_matrix.principal_axes import NEGATIVE, RANK
from models.softmax.design_matrix.transformed_block import GivenBlock

# Iterations that finding the axes may cost, and what one of the n^3 steps to n eigenvectors counts
# in operations of an iteration: a device that multiplies fast is slow to find these.
PRICE, EIGENVECTORS = 300, 300


@dataclass(frozen=True, eq=False)
class DeviceBlock:
    """Distinct rows of a block in r columns, uncorrelated ones where that pays, and the way back.

    Attributes
    ----------
    X : (m, r) float32
    rotated : whether the columns are principal components, the leading ones first
    """

    X: Tensor
    rotated: bool
    _back: Tensor | None  # (r, d), takes weights of X's columns to those of scaled ones
    _mean: Tensor  # (d,) float64
    _scale: Tensor | None  # (d,)

    def to_original(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients (c, d) for the columns as given, and their share of the intercepts (c,)."""
        coef = weights if self._back is None else weights @ self._back
        if self._scale is not None:
            coef = coef * self._scale
        return coef, -(coef.double() @ self._mean)


def transformed(block: GivenBlock, scale: NDArray[Any] | None, vectors: int,
                device: torch.device) -> DeviceBlock:
    """A block's rows on the device.

    Parameters
    ----------
    scale : float (d,), factor of each column, or None
    vectors : weight vectors that are to be found
    """
    rows = torch.from_numpy(np.ascontiguousarray(block.rows)).to(device)
    shares = _shares(block, device)
    mean = _means(rows, shares)
    factors = None if scale is None else torch.from_numpy(scale.astype(np.float32)).to(device)
    X = rows - mean.float()
    if factors is not None:
        X *= factors
    m, d = X.shape
    if not axes_pay(m, d, block.uses * vectors):
        return DeviceBlock(X, False, None, mean, factors)
    roots = torch.ones((m, 1), device=device) if block.counts is None else (
        torch.from_numpy(np.sqrt(block.counts, dtype=np.float32)).to(device)[:, None]
    )
    if m >= d:
        V = _remembered(block, scale, lambda: _axes_of_covariance(X * roots), device)[0]
        return DeviceBlock(X @ V, True, V.T, mean, factors)
    squares, U = _remembered(block, scale, lambda: _axes_of_gram(X * roots), device)
    S = squares.sqrt()
    back = (U / S).T @ (X * roots)
    return DeviceBlock(U * S / roots, True, back, mean, factors)


def axes_pay(m: int, d: int, vectors: int) -> bool:
    """Whether the axes of m rows of d columns are worth finding for so many weight vectors."""
    small = min(m, d)
    return m * d * small + EIGENVECTORS * small**3 <= PRICE * 4 * m * d * vectors


def _shares(block: GivenBlock, device: torch.device) -> Tensor | None:
    """Share of the samples (m,) that each row stands for; None where all are equal."""
    if block.counts is None:
        return None
    return torch.from_numpy(block.counts / block.counts.sum()).to(device)


def _means(rows: Tensor, shares: Tensor | None) -> Tensor:
    """Mean (d,) of each column over the samples, float64."""
    if shares is None:
        return rows.mean(dim=0, dtype=torch.float64)
    return (shares.float() @ rows).double()


def _remembered(block: GivenBlock, scale: NDArray[Any] | None, compute: Any,
                device: torch.device) -> list[Tensor]:
    """Axes of a block that is used again, kept in the main memory by its content."""
    if block.content is None:
        return list(compute())
    arrays = RECENT.arrays(
        ("axes on a device", device.type, *block.content, scale),
        lambda: tuple(values.cpu().numpy() for values in compute()),
    )
    return [torch.from_numpy(np.array(values)).to(device) for values in arrays]


def _axes_of_covariance(X: Tensor) -> tuple[Tensor]:
    """Eigenvectors (d, d) of X'X, by falling eigenvalue."""
    return (orthonormal(torch.linalg.eigh(X.T @ X)[1].flip(1)),)


def orthonormal(V: Tensor) -> Tensor:
    """The orthonormal columns (d, d) next to some that are nearly so.

    A GPU finds eigenvectors of up to 512 columns by Jacobi's rotations, which leave the products of
    columns wrong by some 1e-5 (of 300 columns, the penalty and with it the objective by 4e-5): then
    the rotation would change the problem. One step of Newton and Schulz squares that error (Björck
    and Bowie, An iterative algorithm for computing the best estimate of an orthogonal matrix,
    1971).
    """
    return 1.5 * V - 0.5 * V @ (V.T @ V)


def _axes_of_gram(X: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (r,) of XX' above the rounding errors, falling, and eigenvectors (m, r).

    In double precision, for the reason that `principal_axes._axes_of_gram` gives.
    """
    values, vectors = torch.linalg.eigh((X @ X.T).double())
    squares, U = values.float(), vectors.float()
    tiny = torch.finfo(torch.float32).tiny
    least = max(RANK * float(squares[-1]), NEGATIVE * -float(squares[0]), tiny)
    real = squares > least
    return squares[real].flip(0), U[:, real].flip(1)
