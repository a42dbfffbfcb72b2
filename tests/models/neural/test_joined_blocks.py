"""Blocks of a modality as one input: every part keeps its own projection, and its share."""

from __future__ import annotations

import numpy as np

from models.neural.joined_blocks import joined_sequences, joined_vectors, of_modalities


def test_a_projection_of_all_is_a_projection_of_each_block():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 1, 5))
    masks = np.ones((4, 3), dtype=bool), np.array([[True], [False], [True], [True]])
    vectors, mask = joined_sequences([(first, masks[0]), (second, masks[1])])
    assert vectors.shape == (4, 4, 7)
    of_first, of_second = rng.normal(size=(2, 6)), rng.normal(size=(5, 6))
    projected = vectors @ np.vstack([of_first, of_second])
    np.testing.assert_allclose(projected[:, :3], first @ of_first)
    np.testing.assert_allclose(projected[:, 3:], second @ of_second)
    np.testing.assert_array_equal(mask, np.hstack(masks))


def test_a_single_block_is_handed_on_as_it_is():
    vectors, mask = np.ones((2, 3, 4), dtype=np.float32), np.ones((2, 3), dtype=bool)
    assert joined_sequences([(vectors, mask)]) == (vectors, mask)
    assert joined_vectors([vectors]) is vectors


def test_vectors_share_their_norm_equally():
    joined = joined_vectors([np.full((2, 1), 3.0), np.full((2, 1), 3.0), np.full((2, 1), 3.0)])
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 3)


def test_blocks_are_told_apart_by_modality_pictures_first():
    assert of_modalities({"image": 1, "image_2": 2, "text": 3}) == [[1, 2], [3]]
