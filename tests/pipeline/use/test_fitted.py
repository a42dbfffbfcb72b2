"""Items on their way through encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.block import Block
from features.encoder import Encoder
from pipeline.use.fitted import encoded


class Lengths(Encoder):
    """A text's length, and which texts it was given."""

    modality, version = "text", 1

    def __init__(self) -> None:
        self.given: list[str] = []

    def transform(self, samples: Sequence[str]) -> Block:
        self.given += samples
        lengths = np.array([len(text) for text in samples], dtype=np.float32)
        return Block.of(lengths.reshape(-1, 1))


def test_equal_items_are_encoded_once_and_missing_ones_have_no_row() -> None:
    encoder = Lengths()
    block = encoded(encoder, ["red", None, "blue", "red", ""])
    assert encoder.given == ["red", "blue", ""]
    assert block.index.tolist() == [0, -1, 1, 0, 2]
    assert block.values.tolist() == [[3.0], [4.0], [0.0]]


def test_no_items_are_an_empty_block() -> None:
    assert len(encoded(Lengths(), [])) == 0
