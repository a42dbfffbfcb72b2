"""Arrays written piece by piece: the same file as at once, and no half arrays."""

from __future__ import annotations

import errno
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from features.block import Block
from pipeline.store.array_file import read_array, write_array, write_pieces
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry


def pieces(values, cuts):
    for part in np.split(values, sorted(cuts)):
        yield {
            "pooled": Block.of(part.mean(axis=1)),
            "regions": Block.of(part, np.ones(part.shape[:2], dtype=bool)),
        }


@settings(max_examples=25)
@given(rows=st.integers(0, 20), cuts=st.lists(st.integers(0, 20), max_size=4))
def test_pieces_make_the_file_that_the_whole_array_makes(tmp_path_factory, rows, cuts):
    folder = tmp_path_factory.mktemp("pieces")
    values = np.random.default_rng(0).normal(size=(rows, 4, 3)).astype(np.float32)
    written = write_pieces(pieces(values, cuts), rows, folder)
    assert set(written["regions"]) == {"values", "mask"}
    assert set(written["pooled"]) == {"values"}
    np.save(folder / "whole.npy", values)
    assert written["regions"]["values"].read_bytes() == (folder / "whole.npy").read_bytes()
    np.testing.assert_array_equal(
        read_array(written["pooled"]["values"], [rows, 3]), values.mean(axis=1)
    )


def test_a_sparse_block_stays_one_array(tmp_path):
    matrix = sparse.random(5, 7, density=0.3, format="csr", dtype=np.float32, random_state=0)
    assert write_pieces([{None: Block.of(matrix)}], 5, tmp_path) == {None: {"values": matrix}}
    assert list(tmp_path.iterdir()) == []


def test_missing_and_unlike_rows_are_errors(tmp_path):
    three = Block.of(np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"1 rows of .* were never written"):
        write_pieces([{None: three}], 4, tmp_path)
    with pytest.raises(ValueError, match=r"with 1 rows left to write"):
        write_pieces([{None: three}, {None: three}], 4, tmp_path)
    with pytest.raises(ValueError, match=r"does not continue float32 \(2,\)"):
        write_pieces(
            [{None: three}, {None: Block.of(np.zeros((1, 3), dtype=np.float32))}], 4, tmp_path
        )


def test_the_store_takes_a_file_over_and_leaves_no_scratch(tmp_path):
    store = FolderStore(tmp_path)
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    with store.lock("key"), store.scratch("key") as scratch:
        arrays = write_pieces(
            [{None: Block.of(values[:2])}, {None: Block.of(values[2:])}], 3, scratch
        )[None]
        stored = store.get({"kind": "features"}, lambda: Entry(arrays)).arrays["values"]
        assert list(scratch.iterdir()) == []
    assert list((tmp_path / "partial").iterdir()) == []
    np.testing.assert_array_equal(stored, values)
    np.testing.assert_array_equal(
        FolderStore(tmp_path).load({"kind": "features"}).arrays["values"], values
    )


@pytest.mark.skipif(sys.platform != "linux", reason="a device of Linux that is always full")
def test_of_a_full_disk_the_system_s_own_error_is_raised(tmp_path):
    """What NumPy says of one has no number, and would be taken for a fault of the work."""
    (tmp_path / "a.npy").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        write_array(tmp_path, "a", np.zeros(100_000))
    assert raised.value.errno == errno.ENOSPC
