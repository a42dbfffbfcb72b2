"""Attention: the formula against loops, gradients, invariances, training."""

from __future__ import annotations

import numpy as np
import pytest

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.neural.attention import Attention
from models.preparation.principal_components import SequenceReduction, mean_vectors
from models.views import Views
from pipeline.testing.views import labels, sequence, views, without

FEW = {"epochs": 10, "width": 8, "reduce": 4}


@pytest.fixture(scope="module")
def network():
    import torch

    import models.neural.attention_network as module

    torch.set_num_threads(1)
    return module


def by_loops(x, h, x_mask, h_mask, similarity, scale):
    """The formula, pair by pair."""
    v, alpha = np.zeros((len(x), x.shape[2])), np.zeros((len(x), x.shape[1], h.shape[1]))
    for n in range(len(x)):
        energies = {}
        for i in np.flatnonzero(x_mask[n]):
            for t in np.flatnonzero(h_mask[n]):
                dot = float(x[n, i] @ h[n, t])
                lengths = np.linalg.norm(x[n, i]) * np.linalg.norm(h[n, t])
                energies[i, t] = scale * (dot / lengths if similarity == "cosine" else dot)
        total = sum(np.exp(e) for e in energies.values())
        for (i, t), e in energies.items():
            alpha[n, i, t] = np.exp(e) / total
            v[n] += alpha[n, i, t] * x[n, i] * h[n, t]
    return v, alpha


def pairs(regions: int, tokens: int, width: int = 5):
    rng = np.random.default_rng(regions * 10 + tokens)
    x, h = rng.normal(size=(4, regions, width)), rng.normal(size=(4, tokens, width))
    x_mask, h_mask = rng.random((4, regions)) < 0.6, rng.random((4, tokens)) < 0.6
    x_mask[:, 0] = h_mask[:, -1] = True
    return x, h, x_mask, h_mask


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize(("regions", "tokens"), [(6, 4), (1, 4), (6, 1), (1, 1)])
def test_formula_equals_a_plain_double_loop(network, similarity, regions, tokens):
    import torch

    arrays = pairs(regions, tokens)
    v, alpha = network.pair_attention(*map(torch.from_numpy, arrays), similarity, 0.7)
    expected_v, expected_alpha = by_loops(*arrays, similarity, 0.7)
    np.testing.assert_allclose(v.numpy(), expected_v, atol=1e-12)
    np.testing.assert_allclose(alpha.numpy(), expected_alpha, atol=1e-12)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_gradients(network, similarity):
    import torch

    x, h, x_mask, h_mask = map(torch.from_numpy, pairs(3, 2, 3))
    scale = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, b, s: network.pair_attention(a, b, x_mask, h_mask, similarity, s),
        (x.requires_grad_(), h.requires_grad_(), scale))


def test_large_similarities_do_not_overflow(network):
    import torch

    x, h, x_mask, h_mask = map(torch.from_numpy, pairs(3, 2))
    v, alpha = network.pair_attention(x * 1e4, h * 1e4, x_mask, h_mask, "dot", 1.0)
    assert torch.isfinite(v).all()
    np.testing.assert_allclose(alpha.sum(dim=(1, 2)).numpy(), 1)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_order_of_regions_and_tokens_makes_no_difference(network, similarity):
    train, y = views("sequence")
    fitted = Attention(similarity=similarity, **FEW).fit(train, y)
    rng = np.random.default_rng(0)
    (x, x_mask), (h, h_mask) = train.image.sequence(), train.text.sequence()
    i, t = rng.permutation(x.shape[1]), rng.permutation(h.shape[1])
    shuffled = Views(Block.of(x[:, i], x_mask[:, i]), Block.of(h[:, t], h_mask[:, t]))
    np.testing.assert_allclose(
        fitted.predict_proba(shuffled), fitted.predict_proba(train), atol=1e-5
    )
    np.testing.assert_allclose(
        fitted.attention(shuffled), fitted.attention(train)[:, i][:, :, t], atol=1e-5
    )


def test_attention_weights_add_up_to_one_over_pairs_that_exist(network):
    train, y = views("sequence")
    holes = Views(without(train.image, slice(0, 3)), without(train.text, slice(2, 5)))
    alpha = Attention(**FEW).fit(holes, y).attention(holes)
    assert alpha.shape == (60, 4, 3)
    np.testing.assert_allclose(alpha.sum(axis=(1, 2)), 1, atol=1e-5)
    (_, x_mask), (_, h_mask) = holes.image.sequence(), holes.text.sequence()
    whole = np.arange(5, 60)
    assert np.all(alpha[whole][~(x_mask[:, :, None] & h_mask[:, None, :])[whole]] == 0)
    # Samples without a modality have its learned vector in the first place.
    assert np.all(alpha[:3, 1:] == 0)
    assert np.all(alpha[2:5, :, 1:] == 0)


def test_masked_regions_and_tokens_make_no_difference(network):
    train, y = views("sequence")
    loud = [
        Block(
            np.where(block.mask[:, :, None], block.values, np.float32(1e6)), block.index, block.mask
        )
        for block in (train.image, train.text)
    ]
    np.testing.assert_allclose(Attention(**FEW).fit(Views(*loud), y).predict_proba(Views(*loud)),
                               Attention(**FEW).fit(train, y).predict_proba(train), atol=1e-6)


def only_pairs_tell(n: int, seed: int) -> tuple[Views, np.ndarray]:
    """Each sample has a region and a token with a sign; their product alone is the class."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(n, 2))
    x, h = 0.1 * rng.normal(size=(n, 3, 4)), 0.1 * rng.normal(size=(n, 3, 4))
    where = rng.integers(0, 3, size=(n, 2))
    x[np.arange(n), where[:, 0], 0] += 3 * signs[:, 0]
    h[np.arange(n), where[:, 1], 0] += 3 * signs[:, 1]
    mask = np.ones((n, 3), dtype=bool)
    return Views(
        Block.of(x.astype(np.float32), mask), Block.of(h.astype(np.float32), mask)
    ), np.prod(signs, axis=1)


def means(views: Views) -> Views:
    return Views(mean_vectors(views.image), mean_vectors(views.text))


def test_it_learns_classes_that_only_a_pair_decides_and_pooled_features_side_by_side_do_not(
    network,
):
    train, y = only_pairs_tell(400, 0)
    test, expected = only_pairs_tell(200, 1)
    fitted = Attention(width=8, pooled=False, epochs=60, patience=20, learning_rate=0.01).fit(
        train, y
    )
    assert np.mean(fitted.predict(test) == expected) > 0.95
    concat = Concat(Logistic()).fit(means(train), y)
    assert np.mean(concat.predict(means(test)) == expected) < 0.65


def test_on_top_of_the_means_it_still_learns_classes_that_only_a_pair_decides(network):
    train, y = only_pairs_tell(400, 0)
    test, expected = only_pairs_tell(200, 1)
    fitted = Attention(width=8, epochs=60, patience=20, learning_rate=0.01).fit(train, y)
    assert np.mean(fitted.predict(test) == expected) > 0.95


def test_what_it_says_of_the_means_alone_is_concat_s_solution(network):
    import torch

    train, y = views("sequence", n=90)
    test, _ = views("sequence", n=60, seed=7)
    fitted = Attention(**FEW).fit(train, y)
    concat = Concat(Logistic(C=fitted.linear_["C"]), weight=fitted.linear_["share"])
    concat.fit(means(train), y)
    moved = np.abs(fitted.predict_proba(test) - concat.predict_proba(means(test))).max()
    assert moved > 1e-4  # v has its say
    with torch.no_grad():
        for member in fitted.network_.networks:
            torch.nn.init.zeros_(member.head.of_attended.weight)
    # but for the bias, which is learned with v
    left, solved = (
        np.log(model.predict_proba(rows)) - np.log(model.predict_proba(rows))[:, :1]
        for model, rows in ((fitted, test), (concat, means(test)))
    )
    np.testing.assert_allclose(
        left - left.mean(axis=0), solved - solved.mean(axis=0), atol=5e-3
    )


@pytest.mark.parametrize("lost", [[], ["image"], ["text"]])
def test_dropout_of_tokens_alone_makes_the_same_products(network, lost):
    import torch

    x, h, x_mask, h_mask = map(torch.from_numpy, pairs(6, 4))
    x_mask[:2] &= "image" not in lost
    h_mask[:2] &= "text" not in lost
    both, alone = (network.Sequences(5, 5, 8, 0.5, multiplied=way).double() for way in (0, 1))
    alone.load_state_dict(both.state_dict())
    results = []
    for sequences in (both, alone):
        torch.manual_seed(3)
        results.append(network.pair_attention(*sequences(x, x_mask, h, h_mask)[:2],
                                              *sequences.eval()(x, x_mask, h, h_mask)[2:],
                                              "dot", 0.7))
    for one_way, other_way in zip(*results, strict=True):
        torch.testing.assert_close(one_way, other_way)
    plain = network.pair_attention(*both(x, x_mask, h, h_mask), "dot", 0.7)[0]
    assert not torch.allclose(plain, results[0][0])


def test_only_its_own_seed_decides_and_the_global_state_is_left_alone(network):
    import torch

    train, y = views("sequence")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (
        Attention(random_state=seed, **FEW).fit(train, y).predict_proba(train) for seed in (0, 1)
    )
    assert not np.allclose(first, second, atol=1e-5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    np.testing.assert_array_equal(
        Attention(random_state=0, **FEW).fit(train, y).predict_proba(train), first
    )


def test_held_out_rows_decide_when_to_stop_and_the_best_weights_are_kept(network):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    noise = Block.of(rng.normal(size=(80, 3, 5)).astype(np.float32), np.ones((80, 3), dtype=bool))
    fitted = Attention(epochs=50, patience=3, learning_rate=0.02).fit(Views(noise, noise), y)
    # Pure noise: what is learned from it only makes held-out rows worse, so training ends soon.
    assert fitted.history_.best_epoch < 15
    shorter = Attention(epochs=fitted.history_.best_epoch, patience=3, learning_rate=0.02).fit(
        Views(noise, noise), y
    )
    np.testing.assert_array_equal(fitted.predict_proba(Views(noise, noise)),
                                  shorter.predict_proba(Views(noise, noise)))


def test_scores_and_attention_are_means_of_networks_that_each_fold_has_stopped(network):
    train, y = views("sequence", n=90)
    fitted = Attention(**FEW).fit(train, y)
    inputs = fitted._inputs(train)
    scores = [member(*inputs).detach().numpy() for member in fitted.network_.networks]
    alphas = [member.attention(*inputs).detach().numpy() for member in fitted.network_.networks]
    assert len(scores) == 3
    assert not np.allclose(scores[0], scores[1])
    powers = np.exp(np.mean(scores, axis=0))
    np.testing.assert_allclose(
        fitted.predict_proba(train), powers / powers.sum(axis=1, keepdims=True), atol=1e-5
    )
    np.testing.assert_allclose(fitted.attention(train), np.mean(alphas, axis=0), atol=1e-6)


def test_very_few_samples_train_without_held_out_rows(network):
    train, y = views("sequence", n=6)
    fitted = Attention(epochs=3).fit(train, y)
    assert fitted.history_.best_epoch == 3
    assert fitted.predict_proba(train).shape == (6, 3)


def test_divergence_is_an_error_that_names_the_cause(network):
    train, y = views("sequence")
    with pytest.raises(FloatingPointError, match=r"diverged in epoch \d+.*learning_rate"):
        Attention(learning_rate=1e30).fit(train, y)


def test_no_attention_where_nothing_was_learned(network):
    train, _ = views("sequence", n=6)
    with pytest.raises(ValueError, match="every training label was cat"):
        Attention().fit(train, np.full(6, "cat")).attention(train)


def test_pooled_features_serve_as_sequences_of_one(network):
    train, y = views()
    assert np.mean(Attention(**FEW | {"epochs": 40}).fit(train, y).predict(train) == y) > 0.9


def test_reduction_keeps_the_leading_axes_of_the_training_vectors():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    values = (rng.normal(size=(40, 5, 10)) * [9, 5, *[0.01] * 8]) @ axes.T + 3
    block = Block.of(values.astype(np.float32), np.ones((40, 5), dtype=bool))
    reduction = SequenceReduction(2).fit(block)
    reduced, mask = reduction.transform(block)
    assert reduced.shape == (40, 5, 2)
    assert mask.all()
    flat = reduced.reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-4)
    assert flat.var() == pytest.approx(1, rel=0.01)
    # Everything but 0.01-sized noise is kept: distances are those of the wide vectors, times one
    # number.
    wide = np.linalg.norm(values[0, 0] - values[1:, 0], axis=1)
    narrow = np.linalg.norm(reduced[0, 0] - reduced[1:, 0], axis=1)
    np.testing.assert_allclose(narrow / wide, (narrow / wide)[0], rtol=0.01)


def test_reduction_draws_no_more_vectors_than_asked_and_no_masked_ones():
    values, mask = sequence(labels())
    block = Block.of(values + 100, mask)
    reduction = SequenceReduction(3, vectors=50).fit(block)
    assert len(reduction._drawn(block)) == 50
    np.testing.assert_allclose(reduction.mean_, 100, atol=3)
    reduced, reduced_mask = reduction.transform(block)
    np.testing.assert_array_equal(reduced_mask, mask)
    assert np.all(reduced[~mask] == 0)


def test_mean_of_a_sequence_counts_only_what_exists():
    values, mask = sequence(labels(6))
    means = mean_vectors(without(Block.of(values, mask), slice(0, 1)))
    np.testing.assert_allclose(means.array()[3], values[3][mask[3]].mean(axis=0), rtol=1e-5)
    assert list(means.present) == [False, *[True] * 5]
