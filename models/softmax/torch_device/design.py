"""The design matrix on the device: the columns of all blocks, of ones, and products with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.softmax.torch_device.axes import DeviceBlock

ALIGNED = 8  # numbers: products of matrices whose sides are a multiple of it are the fastest
AT_ONCE = 2**26  # numbers of an intermediate matrix


class DesignMatrix:
    """Rows of all problems: the blocks' columns, one of ones for the intercept, zeros to align.

    Parameters
    ----------
    blocks : the blocks, and the row of each sample in each (n,)

    Attributes
    ----------
    X : (n, width), n and width multiples of ALIGNED; the last rows may be zeros
    intercept : position of the column of ones
    columns : the slice of each block's columns
    rotated : whether any block's columns are principal components
    """

    def __init__(self, blocks: Sequence[tuple[DeviceBlock, Tensor]]) -> None:
        n, device = len(blocks[0][1]), blocks[0][0].X.device
        self.intercept = sum(block.X.shape[1] for block, _ in blocks)
        self.X = torch.zeros((aligned(n), aligned(self.intercept + 1)), device=device)
        self.columns, start = list[slice](), 0
        for block, index in blocks:
            self.columns.append(slice(start, start + block.X.shape[1]))
            self.X[:n, self.columns[-1]] = block.X[index]
            start += block.X.shape[1]
        self.X[:n, self.intercept] = 1.0
        self.rotated = any(block.rotated for block, _ in blocks)

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.X.shape[1]

    def logits(self, weights: Tensor) -> Tensor:
        """Weights (P, K, width) whose classes sum to zero, times the rows: (P, K, n).

        The last class's follow from those of the others.
        """
        P, K, width = weights.shape
        products = weights[:, :-1].reshape(-1, width) @ self.X.T
        return _with_last(products.view(P, K - 1, -1))

    def gradients(self, residuals: Tensor) -> Tensor:
        """Residuals (P, K, n), whose classes sum to zero, times the rows: (P, K, width)."""
        P, K, n = residuals.shape
        products = residuals[:, :-1].reshape(-1, n) @ self.X
        return _with_last(products.view(P, K - 1, -1))

    def squares(self, weights: Tensor) -> Tensor:
        """Weights (P, c, n) times the squared rows: (P, c, width)."""
        P, c, n = weights.shape
        step = max(ALIGNED, AT_ONCE // n)
        parts = [
            weights.reshape(-1, n) @ self.X[:, start:start + step].square()
            for start in range(0, self.width, step)
        ]
        return torch.cat(parts, dim=1).view(P, c, -1)


def _with_last(values: Tensor) -> Tensor:
    return torch.cat([values, -values.sum(dim=1, keepdim=True)], dim=1)


def aligned(count: int) -> int:
    """The next multiple of ALIGNED."""
    return -(-count // ALIGNED) * ALIGNED
