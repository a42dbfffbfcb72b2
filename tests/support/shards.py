"""Samples that are numbers, and values that tell them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from features.block import Block

MAKER = {"kind": "shard", "encoder": "test"}


def digest(sample: int) -> str:
    return hashlib.sha256(str(sample).encode()).hexdigest()


def block_of(samples: Sequence[int], length: int | None = None) -> Block:
    """Vectors (m, 3) that tell the sample; with a length, sequences of sample % 4 + 1 of these."""
    vectors = np.array([[sample, 2 * sample, -sample] for sample in samples], dtype=np.float32)
    if length is None:
        return Block.of(vectors)
    there = np.arange(length) < np.array([sample % 4 + 1 for sample in samples])[:, None]
    return Block.of(vectors[:, None] * there[:, :, None], there)


def counts_of(samples: Sequence[int]) -> Block:
    """Counts with a column for each residue of a sample modulo 5 and 7, those that occur."""
    terms = [{f"5: {sample % 5}": 1.0, f"7: {sample % 7}": 2.0} for sample in samples]
    names = sorted(set().union(*terms))
    dense = [[counted.get(name, 0.0) for name in names] for counted in terms]
    matrix = sparse.csr_matrix(np.array(dense, dtype=np.float32).reshape(len(samples), len(names)))
    return Block.of(matrix, columns=names)
