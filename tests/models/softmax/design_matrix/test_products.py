"""Products in tiles: equal to whole products, for every shape and layout."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.softmax.design_matrix import products
from models.softmax.design_matrix.products import matmul_transposed, transposed


@contextmanager
def small_tiles():
    """Tiles whatever the processor, and already for small matrices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "has_small_kernels", lambda: True)
        patch.setattr(products, "SMALL", 2000)
        yield


def matrices(n, d, c, seed=0):
    """B (c, d) and A (n, d)."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in ((c, d), (n, d))]


@settings(max_examples=200)
@given(st.integers(1, 700), st.integers(1, 80), st.integers(1, 80), st.booleans(), st.booleans())
def test_tiles_give_the_product(n, d, c, fortran_a, fortran_b):
    B, A = matrices(n, d, c)
    given_b, given_a = (
        np.asfortranarray(B) if fortran_b else B,
        np.asfortranarray(A) if fortran_a else A,
    )
    with small_tiles():
        np.testing.assert_allclose(
            matmul_transposed(given_b, given_a), B.astype(np.float64) @ A.T, atol=2e-4
        )


@pytest.mark.parametrize(
    ("n", "d", "c"),
    [(2633, 1280, 18), (300, 4000, 45), (900, 700, 9), (515, 1281, 37)],
)
def test_so_they_do_at_real_sizes(monkeypatch, n, d, c):
    monkeypatch.setattr(products, "has_small_kernels", lambda: True)
    B, A = matrices(n, d, c)
    np.testing.assert_allclose(matmul_transposed(B, A), B.astype(np.float64) @ A.T, atol=1e-3)


def test_parts_of_a_larger_matrix_are_read_where_they_lie():
    B, whole = matrices(800, 60, 6)
    part = whole[100:700, 10:50]
    with small_tiles():
        np.testing.assert_allclose(
            matmul_transposed(B[:, :40], part), B[:, :40].astype(np.float64) @ part.T, atol=1e-4
        )


def test_nothing_is_cut_where_small_products_have_no_kernel(monkeypatch):
    def fail(*given):
        raise AssertionError("cut")

    monkeypatch.setattr(products, "has_small_kernels", lambda: False)
    monkeypatch.setattr(products, "_tiled", fail)
    for c in (1, 18):
        B, A = matrices(2633, 640, c)
        np.testing.assert_allclose(matmul_transposed(B, A), B.astype(np.float64) @ A.T, atol=1e-3)


@given(st.integers(0, 300), st.integers(1, 90))
def test_the_transposed_copy_lies_row_by_row(n, d):
    A = matrices(n, d, 1)[1]
    copied = transposed(A)
    assert copied.flags.c_contiguous
    np.testing.assert_array_equal(copied, A.T)


@pytest.mark.parametrize(
    ("name", "architecture", "expected"),
    [
        ("scipy-openblas", "SkylakeX", True),
        ("scipy-openblas", "Haswell", False),
        ("accelerate", "SkylakeX", False),
    ],
)
def test_the_kernels_are_known_by_the_library_and_the_processor(
    monkeypatch, name, architecture, expected
):
    monkeypatch.setattr(
        products.np, "show_config", lambda mode: {"Build Dependencies": {"blas": {"name": name}}}
    )
    monkeypatch.setattr(products, "threadpool_info", lambda: [{"architecture": architecture}])
    assert products.has_small_kernels.__wrapped__() is expected
