"""Axes on the device: a rotation that changes no problem."""

from __future__ import annotations

import torch

from models.softmax.torch_device.axes import orthonormal


def test_columns_that_are_nearly_orthonormal_become_so():
    generator = torch.Generator().manual_seed(0)
    V = torch.linalg.qr(torch.randn(300, 300, generator=generator, dtype=torch.float64))[0]
    rough = (V + 1e-5 * torch.randn(300, 300, generator=generator, dtype=torch.float64)).float()
    ones = torch.eye(300, dtype=torch.float64)

    def deviation(columns: torch.Tensor) -> float:
        return float((columns.double().T @ columns.double() - ones).abs().max())

    assert deviation(rough) > 2e-5
    assert deviation(orthonormal(rough)) < 2e-6
    torch.testing.assert_close(orthonormal(rough).double(), V, rtol=0, atol=1e-4)
