"""The linear part: the regression of concat, its choice, and scores of rows it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.preparation.inner_folds import stratified_folds
from models.preparation.scaling import BlockScaler
from models.softmax import linear_part
from models.softmax.linear_part import FIRST, FOLDS, SHARES, STRENGTHS, PooledRows
from models.views import Views


def rows(
    n: int = 120, classes: int = 3, noise: tuple[float, float] = (1.0, 1.0), **changes
) -> PooledRows:
    """Pictures and texts of norm 10 that tell the class but for noise."""
    rng = np.random.default_rng(n)
    codes = np.arange(n) % classes
    blocks = []
    for share in noise:
        values = rng.normal(size=(classes, 6))[codes] + share * rng.normal(size=(n, 6))
        block = Block.of(values.astype(np.float32))
        blocks.append(10 * BlockScaler().fit(block).transform(block))
    pictures, texts = ([block] for block in blocks)
    return PooledRows(pictures, texts, 10.0, codes, **{"class_weight": "none"} | changes)


def folds_of(codes: np.ndarray, seed: int, groups: np.ndarray | None = None):
    return stratified_folds(codes, FOLDS, seed, groups)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_concat_under_the_setting_chosen(classes):
    given = rows(classes=classes)
    part = given.linear_part(folds_of(given.codes, 0))
    views = Views(*map(Block.of, given.blocks))
    concat = Concat(Logistic(C=part.setting.C), weight=part.setting.share).fit(views, given.codes)
    scores = np.hstack(given.blocks) @ part.weight.T + part.bias
    np.testing.assert_allclose(
        log_softmax(scores), np.log(concat.predict_proba(views)), atol=2e-3
    )


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_a_row_s_scores_come_from_the_other_inner_folds(class_weight):
    given = rows(130, class_weight=class_weight)
    part = given.linear_part(folds_of(given.codes, 7))
    pictures, texts = given.blocks
    shares = np.sqrt([1 - part.setting.share, part.setting.share])
    X = np.hstack([pictures * shares[0], texts * shares[1]]) / 10
    weights = linear_part.row_weights(given.codes, class_weight)
    for train, held_out in folds_of(given.codes, 7):
        model = LogisticRegression(C=part.setting.C, max_iter=5000, tol=1e-8)
        model.fit(X[train], given.codes[train], None if weights is None else weights[train])
        np.testing.assert_allclose(
            np.exp(part.scores[held_out]), model.predict_proba(X[held_out]), atol=5e-3
        )


def test_inner_folds_choose_by_the_log_loss_of_what_they_leave_out():
    given = rows(150, noise=(0.5, 40.0))
    part = given.linear_part(folds_of(given.codes, 0))
    assert part.setting.share < 0.5  # the texts are noise
    assert part.setting.share in (0.0, *SHARES)
    assert part.setting.C in STRENGTHS
    chosen = given._loss(np.exp(part.scores))
    others = [FIRST._replace(share=share) for share in SHARES]
    predicted = given._predicted(folds_of(given.codes, 0), others)
    assert chosen <= min(map(given._loss, predicted.values())) + 1e-6


def test_groups_are_in_one_inner_fold():
    """Twins with labels of their own: whoever has seen the twin knows the label."""
    rng = np.random.default_rng(0)
    base = 10 * rng.normal(size=(60, 30)).astype(np.float32) / np.sqrt(30)
    codes = np.repeat(rng.integers(0, 2, 60), 2)
    twins = np.repeat(base, 2, axis=0)
    given = PooledRows([twins], [twins], 10.0, codes, "none")
    of_class = np.arange(120), codes
    folds = folds_of(codes, 0, np.repeat(np.arange(60), 2))
    apart = given.linear_part(folds).scores[of_class].mean()
    together = given.linear_part(folds_of(codes, 0)).scores[of_class].mean()
    assert apart < np.log(0.55)
    assert together > apart + 0.1


def test_rows_too_few_for_folds_take_the_middle_and_are_scored_by_what_has_seen_them():
    given = rows(3)
    part = given.linear_part(folds_of(given.codes, 0))
    assert part.setting == FIRST
    scores = np.hstack(given.blocks) @ part.weight.T + part.bias
    np.testing.assert_allclose(part.scores, log_softmax(scores), atol=1e-3)


def test_where_the_other_folds_hold_one_class_a_row_gets_the_frequencies():
    given = rows(9, classes=2)
    codes = np.zeros(9, dtype=np.int64)
    codes[0] = 1  # the only row of its class: one inner fold learns without it
    unlike = PooledRows(given.pictures, given.texts, 10.0, codes, "none")
    part = unlike.linear_part(folds_of(codes, 0))
    assert np.isfinite(part.scores).all()
    np.testing.assert_allclose(np.exp(part.scores).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.exp(part.scores[0]), [8 / 9, 1 / 9], atol=1e-5)


def test_blocks_of_a_modality_share_its_part_equally():
    """Two blocks of texts do what both side by side do, each scaled by 1 / sqrt(2)."""
    given = rows(classes=4)
    other = rows(classes=4, noise=(3.0, 0.3)).texts[0]
    apart = PooledRows(given.pictures, [*given.texts, other], 10.0, given.codes, "none")
    joined = np.hstack([*given.texts, other]) / np.sqrt(np.float32(2))
    together = PooledRows(given.pictures, [joined], 10.0, given.codes, "none")
    folds = folds_of(given.codes, 0)
    of_apart, of_together = apart.linear_part(folds), together.linear_part(folds)
    assert of_apart.setting == of_together.setting
    np.testing.assert_allclose(np.exp(of_apart.scores), np.exp(of_together.scores), atol=2e-3)
    scores = [
        np.hstack(pooled.blocks) @ part.weight.T + part.bias
        for pooled, part in ((apart, of_apart), (together, of_together))
    ]
    np.testing.assert_allclose(log_softmax(scores[0]), log_softmax(scores[1]), atol=0.01)
