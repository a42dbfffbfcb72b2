"""The contrastive projection: its loss, and one modality standing for the other."""

from __future__ import annotations

import numpy as np
import pytest

from features.block import Block
from models.classifiers.logistic import Logistic
from models.shared_space.classification import Contrastive
from models.shared_space.contrastive import ContrastiveProjection
from models.views import Views
from pipeline.testing.views import labels, pooled, views, without


def test_loss_is_the_formula_over_all_negatives_but_those_of_the_same_picture_or_text():
    import torch

    from models.shared_space.contrastive_network import TwoMaps, info_nce

    torch.manual_seed(0)
    network = TwoMaps(4, 3, 5, dropout=0.0).double()
    rng = np.random.default_rng(0)
    x, y, picture, text = (
        rng.normal(size=(6, 4)),
        rng.normal(size=(6, 3)),
        np.array([0, 1, 2, 3, 3, 4]),
        np.arange(6),
    )
    text[5] = 0
    a, b = (
        rows @ layer.weight.detach().numpy().T
        for rows, layer in ((x, network.of_picture), (y, network.of_text))
    )
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    scores = a @ b.T / 0.3

    def nats(i, along):
        others = [
            along[j]
            for j in range(6)
            if j == i or (picture[j] != picture[i] and text[j] != text[i])
        ]
        return np.log(np.sum(np.exp(others))) - along[i]

    expected = np.mean([nats(i, scores[i]) + nats(i, scores[:, i]) for i in range(6)]) / 2
    computed = info_nce(network(*map(torch.from_numpy, (x, y, picture, text)))).item()
    assert computed == pytest.approx(expected, rel=1e-6)


def test_the_two_of_a_pair_lie_nearest_to_each_other():
    rng = np.random.default_rng(0)

    def pairs(n):
        common = rng.normal(size=(n, 6))
        return Views(
            *(
                Block.of(
                    (common @ np.random.default_rng(side).normal(size=(6, width))).astype(
                        np.float32
                    )
                )
                for side, width in enumerate((12, 9))
            )
        )

    fitted = ContrastiveProjection().fit(pairs(600))
    new = pairs(50)
    image, text = (fitted.project(modality, block) for modality, block in new.blocks().items())
    assert np.mean((image @ text.T).argmax(axis=1) == np.arange(50)) > 0.8
    assert fitted.history_ is not None
    assert min(fitted.history_.held_out) < fitted.history_.held_out[0]
    assert 0.01 <= fitted.temperature_ != pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("direction", ["image_to_text", "text_to_image"])
def test_what_is_learned_from_one_modality_holds_for_the_other(direction):
    train, y = views(n=150)
    new, other = views(n=90, seed=7)
    fitted = Contrastive(Logistic(), direction=direction).fit(train, y)
    assert np.mean(fitted.predict(new) == other) > 0.85
    hidden = "text" if direction.endswith("image") else "image"
    gone = Views(**{**new.blocks(), hidden: without(new.blocks()[hidden], slice(None))})
    np.testing.assert_array_equal(fitted.predict_proba(gone), fitted.predict_proba(new))
    assert fitted.course()["kept"] == fitted.projection_.history_.best_epoch


def test_without_two_pairs_all_lies_at_the_origin():
    y = labels()
    image = Block.of(pooled(y))
    fitted = ContrastiveProjection().fit(Views(image, without(Block.of(pooled(y)), slice(1, None))))
    assert not fitted.project("image", image).any()
    assert fitted.history_ is None


def test_pairs_held_out_for_stopping_are_whole_groups():
    train, y = views(n=90)
    fitted = ContrastiveProjection(epochs=1).fit(
        Views(train.image, train.text, np.zeros(len(y), np.int64))
    )
    assert not fitted.history_.held_out  # a single group cannot be parted
    assert ContrastiveProjection(epochs=1).fit(train).history_.held_out
