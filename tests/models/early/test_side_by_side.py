"""Several blocks of a modality side by side: their shares of the squared norm."""

from __future__ import annotations

import numpy as np
import pytest

from features.block import Block, Modality
from models.classifiers.logistic import Logistic
from models.early.baselines import ImageOnly, TextOnly
from models.early.concat import Concat
from models.views import Views
from pipeline.testing.views import pooled, views, without

SHARES = (1.0, 0.75, 0.25)


def three_blocks() -> tuple[Views, np.ndarray]:
    both, y = views()
    return Views.of(both.blocks() | {"text_2": Block.of(pooled(y, 4, 7))}), y


def test_a_blocks_share_is_its_part_of_its_modalitys():
    train, y = three_blocks()
    concat = Concat(Logistic(), weight=0.4, encoder_shares=SHARES).fit(train, y)
    assert concat.shares() == pytest.approx({"image": 0.6, "text": 0.3, "text_2": 0.1})
    assert Concat(Logistic()).fit(train, y).shares() == {
        "image": 0.5, "text": 0.25, "text_2": 0.25
    }
    assert TextOnly(Logistic()).fit(train, y).shares() == {"text": 0.5, "text_2": 0.5}
    assert ImageOnly(Logistic()).fit(train, y).shares() == {"image": 1.0}


def test_scaled_rows_have_these_shares_of_the_squared_norm():
    train, y = three_blocks()
    rows = Concat(Logistic(), weight=0.4, encoder_shares=SHARES).fit(train, y)._array(train)
    widths = np.cumsum([block.width for block in train.blocks().values()])[:-1]
    powers = [np.mean(np.sum(part**2, axis=1)) for part in np.split(rows, widths, axis=1)]
    np.testing.assert_allclose(powers, [0.6, 0.3, 0.1], rtol=1e-4)


def test_steps_start_from_equal_parts_and_give_each_encoder_in_turn_three_times_the_odds():
    assert TextOnly.tuned_with({"text": 2}) == {"encoder_shares": ((0.5, 0.5),)}
    assert Concat.tuned_with({"image": 1, "text": 1}) == {}
    (equal,) = Concat.tuned_with({"image": 1, "text": 3})["encoder_shares"]
    assert equal == pytest.approx((1, 1 / 3, 1 / 3, 1 / 3))
    setting = {"weight": 0.5, "encoder_shares": equal}
    steps = Concat.steps_from(setting, {"image": 1, "text": 3})
    assert [step["encoder_shares"] for step in steps] == [
        (1.0, 0.6, 0.2, 0.2), (1.0, 0.2, 0.6, 0.2), (1.0, 0.2, 0.2, 0.6)
    ]
    assert all(step["weight"] == 0.5 for step in steps)
    assert Concat.steps_from({"weight": 0.5}, {"image": 1, "text": 1}) == []


def test_a_step_there_and_back_leads_to_where_it_began():
    start = {"encoder_shares": (0.5, 0.5)}
    there, _ = TextOnly.steps_from(start, {"text": 2})
    assert there == {"encoder_shares": (0.75, 0.25)}
    further, back = TextOnly.steps_from(there, {"text": 2})
    assert back == start
    assert further == {"encoder_shares": (0.9, 0.1)}


def test_no_step_is_tried_in_a_modality_that_is_left_out():
    shares = (0.5, 0.5, 0.5, 0.5)
    encoders: dict[Modality, int] = {"image": 2, "text": 2}
    for weight, changed in ((0.0, slice(2)), (1.0, slice(2, 4))):
        steps = Concat.steps_from({"weight": weight, "encoder_shares": shares}, encoders)
        assert [step["encoder_shares"][changed] for step in steps] == [(0.75, 0.25), (0.25, 0.75)]
        rest = slice(2, 4) if weight == 0 else slice(2)
        assert all(step["encoder_shares"][rest] == (0.5, 0.5) for step in steps)


def test_a_sample_counts_as_lacking_a_modality_where_none_of_its_blocks_has_it():
    train, y = three_blocks()
    fitted = TextOnly(Logistic()).fit(train, y)
    blocks = train.blocks()
    hidden = {name: without(blocks[name], slice(0, 3)) for name in ("text", "text_2")}
    probabilities = fitted.predict_proba(Views.of(blocks | hidden))
    np.testing.assert_allclose(probabilities[:3], np.tile(fitted.frequencies_, (3, 1)))
    half = Views.of(blocks | {"text_2": hidden["text_2"]})
    assert np.all(fitted.predict(half) == y)


def test_shares_that_do_not_fit_the_blocks_are_an_error():
    train, y = three_blocks()
    with pytest.raises(ValueError, match="2 shares for 3 blocks: image, text, text_2"):
        Concat(Logistic(), encoder_shares=(0.5, 0.5)).fit(train, y)
