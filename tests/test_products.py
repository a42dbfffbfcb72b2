"""Products in tiles: equal to whole products, for every shape and layout."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import products
from models.products import crossed, times


@contextmanager
def small_tiles():
    """Tiles whatever the processor, and already for small matrices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "unpacked", lambda: True)
        patch.setattr(products, "SMALL", 2000)
        yield


def matrices(n, d, c, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in ((n, d), (d, c), (n, c))]


@settings(max_examples=200)
@given(st.integers(1, 700), st.integers(1, 90), st.integers(1, 130), st.booleans())
def test_tiles_give_the_product(n, d, c, transposed):
    A, B, C = matrices(n, d, c)
    if transposed:
        B, C = np.asfortranarray(B), np.asfortranarray(C)
    with small_tiles():
        np.testing.assert_allclose(times(A, B), A.astype(np.float64) @ B, atol=2e-4)
        np.testing.assert_allclose(crossed(A, C), A.T.astype(np.float64) @ C, atol=1e-3)


@pytest.mark.parametrize(("n", "d", "c"), [(2633, 1280, 18), (300, 4000, 45), (900, 700, 9), (515, 1281, 37)])
def test_so_they_do_at_real_sizes(monkeypatch, n, d, c):
    monkeypatch.setattr(products, "unpacked", lambda: True)
    A, B, C = matrices(n, d, c)
    np.testing.assert_allclose(times(A, B), A.astype(np.float64) @ B, atol=1e-3)
    np.testing.assert_allclose(crossed(A, C), A.T.astype(np.float64) @ C, atol=1e-3)


def test_parts_of_a_larger_matrix_are_read_where_they_lie():
    whole, B, _ = matrices(800, 60, 6)
    part = whole[100:700, 10:50]
    with small_tiles():
        np.testing.assert_allclose(times(part, B[:40]), part.astype(np.float64) @ B[:40], atol=1e-4)
        np.testing.assert_allclose(crossed(part, part[:, :5]), part.T.astype(np.float64) @ part[:, :5], atol=1e-3)


def test_nothing_is_cut_where_small_products_have_no_kernel(monkeypatch):
    def fail(*given):
        raise AssertionError("cut")

    monkeypatch.setattr(products, "unpacked", lambda: False)
    monkeypatch.setattr(products, "_tiled", fail)
    A, B, C = matrices(2633, 640, 18)
    np.testing.assert_array_equal(times(A, B), A @ B)
    np.testing.assert_array_equal(crossed(A, C), A.T @ C)


@pytest.mark.parametrize(("name", "architecture", "expected"), [
    ("scipy-openblas", "SkylakeX", True), ("scipy-openblas", "Haswell", False), ("accelerate", "SkylakeX", False)])
def test_the_kernels_are_known_by_the_library_and_the_processor(monkeypatch, name, architecture, expected):
    monkeypatch.setattr(products.np, "show_config", lambda mode: {"Build Dependencies": {"blas": {"name": name}}})
    monkeypatch.setattr(products, "threadpool_info", lambda: [{"architecture": architecture}])
    assert products.unpacked.__wrapped__() is expected
