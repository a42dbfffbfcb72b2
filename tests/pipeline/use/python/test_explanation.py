"""Explanations: exact values of constructed models, and what networks attended to."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from features.block import Block
from features.encoder import Encoder
from models.fusion import Fusion
from pipeline.use.bundle import Bundle
from pipeline.use.fitted import FittedCell, FittedModel
from pipeline.use.problem import ItemError
from pipeline.use.python.explanation import PairAttention
from pipeline.use.refit import refitted
from tests.support.comparisons import comparison_of
from tests.support.samples import png
from tests.support.tiny import GRID, register, write_grid, write_table

NETWORKS = GRID.replace("text: [bow]", "text: [{word2vec: {size: 4, epochs: 1}}]").replace(
    "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
    "[majority, text_only, late, {attention: {epochs: 1, width: 8}}, "
    "{cross_attention: {epochs: 1}}, {gated: {epochs: 1}}]",
)


class Present(Encoder):
    """Whether a sample is there is all that it says."""

    version = 1

    def __init__(self, modality):
        self.modality = modality

    def transform(self, samples):
        return Block.of(np.ones((len(samples), 1), dtype=np.float32))


class Game(Fusion):
    """Probability of the second class by what is there."""

    version = 1
    needs = {"image": "pooled", "text": "pooled"}  # noqa: RUF012

    def __init__(self, nothing=0.5, picture=0.5, text=0.5, both=0.5):
        self.nothing, self.picture, self.text, self.both = nothing, picture, text, both
        self.classes_ = np.array([0, 1])

    def predict_proba(self, views):
        values = np.array([self.nothing, self.text, self.picture, self.both])
        second = values[2 * views.image.present + views.text.present]
        return np.stack([1 - second, second], axis=1)


def explained(game, **item):
    encoders = {modality: Present(modality) for modality in ("image", "text")}
    cell = FittedCell((FittedModel(encoders, game),), None, None, ("no", "yes"))
    return Bundle(cell, {}).explain(**{"picture": png(0), "text": "words"} | item)


def test_contributions_are_the_shapley_values_of_picture_and_text():
    explanation = explained(Game(nothing=0.4, picture=0.6, text=0.5, both=0.9))
    assert explanation.predicted == "yes"
    assert explanation.probability == pytest.approx(0.9)
    assert explanation.alone == pytest.approx(
        {"nothing": 0.4, "picture": 0.6, "text": 0.5, "both": 0.9}
    )
    # picture: 0.2 alone and 0.4 beside the text; text: 0.1 alone and 0.3 beside the picture
    assert explanation.contributions == pytest.approx({"picture": 0.3, "text": 0.2})


def test_they_are_of_the_class_that_is_predicted_and_may_speak_against_it():
    explanation = explained(Game(nothing=0.5, picture=0.9, text=0.1, both=0.3))
    assert explanation.predicted == "no"
    assert explanation.contributions == pytest.approx({"picture": -0.3, "text": 0.5})


def test_a_modality_that_makes_no_difference_has_exactly_nothing():
    explanation = explained(Game(nothing=0.4, picture=0.4, text=0.8, both=0.8))
    assert explanation.contributions["picture"] == 0.0
    assert explanation.contributions["text"] == pytest.approx(0.4)


def test_what_an_item_lacks_has_nothing():
    explanation = explained(Game(nothing=0.4, picture=0.6, text=0.7, both=0.9), picture=None)
    assert explanation.probability == pytest.approx(0.7)
    assert explanation.contributions == pytest.approx({"picture": 0.0, "text": 0.3})
    with pytest.raises(ItemError, match="has no picture or text"):
        explained(Game(), picture=None, text="")


@pytest.fixture(scope="module")
def explanations(tmp_path_factory):
    """By fusion; of a picture and a text that all of them look at as far as they do."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        write_table(folder)
        comparison = comparison_of(write_grid(folder, NETWORKS))
        return {
            cell.fusion.name: Bundle(refitted(cell, comparison).cell, {}).explain(
                folder / "0.png", "whiskers purr <b> meow"
            )
            for cell in comparison.cells
        }


def test_of_every_kind_of_cell_contributions_add_up(explanations):
    assert set(explanations) >= {"majority", "text_only", "late", "attention", "gated"}
    for explanation in explanations.values():
        alone = explanation.alone
        total = sum(explanation.contributions.values())
        assert total == pytest.approx(alone["both"] - alone["nothing"])
        assert "<script" not in explanation._repr_html_()
    for without in ("majority", "text_only"):
        assert explanations[without].contributions["picture"] == 0.0
    assert explanations["majority"].contributions["text"] == 0.0


def test_weights_of_a_network_that_weighs_modalities_add_up(explanations):
    weights = explanations["gated"].weights
    assert set(weights) == {"picture", "text"}
    assert sum(weights.values()) == pytest.approx(1)
    assert explanations["attention"].weights is None


def test_attention_names_regions_and_tokens(explanations):
    attention = explanations["attention"].attention
    assert attention.tokens == ("whiskers", "purr", "meow")
    assert attention.grid == (2, 2)
    assert attention.pairs.shape == (4, 3)
    assert attention.pairs.sum() == pytest.approx(1)
    assert attention.regions.shape == (2, 2)
    np.testing.assert_allclose(attention.words, attention.pairs.sum(axis=0))
    assert explanations["gated"].attention is None
    assert explanations["late"].attention is None


def test_a_heat_map_is_a_picture_redder_where_weights_are_higher():
    grey = np.full((168, 168, 3), 128, dtype=np.uint8)
    pairs = np.array([[0.1, 0.0], [0.1, 0.3], [0.2, 0.2], [0.0, 0.1]])
    attention = PairAttention(pairs, ("a", "b"), (2, 2), grey)
    drawn = np.asarray(Image.open(io.BytesIO(attention.heat_map())), dtype=float)
    red, green, _ = drawn.reshape(2, 84, 2, 84, 3).mean(axis=(1, 3)).reshape(4, 3).T
    np.testing.assert_allclose(attention.regions.ravel(), [0.1, 0.4, 0.4, 0.1])
    shares = 0.75 * np.array([0.1, 0.4, 0.4, 0.1])  # of four regions, only all weight is full
    np.testing.assert_allclose(red, 128 + shares * (214 - 128), atol=1)
    np.testing.assert_allclose(green, 128 + shares * (39 - 128), atol=1)
    plain = PairAttention(pairs, None, None, grey).heat_map()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(plain))), grey)


def test_a_page_holds_all_that_it_shows_and_names_no_other(explanations):
    page = explanations["attention"]._repr_html_()
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in page
    assert ">whiskers</span>" in page
