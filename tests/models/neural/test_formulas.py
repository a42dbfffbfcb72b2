"""Cross-attention, gated fusion, co-training: formulas in NumPy, gradients, invariances, use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.neural.attention import Attention
from models.neural.co_training import CoTraining
from models.neural.cross_attention import CrossAttention
from models.neural.gated import Gated
from models.views import Views
from pipeline.testing.views import labels, pooled, views, without

FEW = {"epochs": 10, "width": 8}


pytestmark = pytest.mark.usefixtures("one_thread")


def sequences(regions: int = 4, tokens: int = 3, width: int = 6) -> list[torch.Tensor]:
    """Regions, their mask, tokens, their mask and pooled features of five samples, as doubles."""
    rng = np.random.default_rng(regions * 10 + tokens)
    x_mask, h_mask = rng.random((5, regions)) < 0.6, rng.random((5, tokens)) < 0.6
    x_mask[:, 0] = h_mask[:, -1] = True
    arrays = (
        rng.normal(size=(5, regions, width)),
        x_mask,
        rng.normal(size=(5, tokens, width)),
        h_mask,
        rng.normal(size=(5, 2)),
    )
    return list(map(torch.from_numpy, arrays))


def vectors(width: int = 4) -> list[torch.Tensor]:
    """Pictures, which are there, texts, and which are there: five samples in double precision."""
    rng = np.random.default_rng(0)
    arrays = (rng.normal(size=(5, width)), np.array([True, True, False, True, False]),
              rng.normal(size=(5, width)), np.array([True, False, True, True, False]))
    return list(map(torch.from_numpy, arrays))


def plain(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}


# --- cross-attention


def normalised(rows: np.ndarray, p: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return (
        centred / np.sqrt(rows.var(axis=-1, keepdims=True) + 1e-5) * p[f"{name}.weight"]
        + p[f"{name}.bias"]
    )


def co_attention(asking, other, other_mask, p, heads):
    """One sample's block of the docstring, head by head; also the heads' mean weights."""
    width = asking.shape[1]
    size = width // heads
    weights, biases = (np.split(p[f"attend.in_proj_{kind}"], 3) for kind in ("weight", "bias"))
    q, k, v = (
        rows @ weight.T + bias
        for rows, weight, bias in zip((asking, other, other), weights, biases, strict=True)
    )
    seen, weights = np.zeros_like(asking), np.zeros((len(asking), len(other)))
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for a in range(len(asking)):
            there = np.flatnonzero(other_mask)
            energies = np.exp([q[a, part] @ k[b, part] / np.sqrt(size) for b in there])
            for b, energy in zip(there, energies / energies.sum(), strict=True):
                seen[a, part] += energy * v[b, part]
                weights[a, b] += energy / heads
    attended = normalised(
        asking + seen @ p["attend.out_proj.weight"].T + p["attend.out_proj.bias"],
        p,
        "after_attention",
    )
    hidden = np.maximum(attended @ p["layers.0.weight"].T + p["layers.0.bias"], 0)
    return normalised(
        attended + hidden @ p["layers.2.weight"].T + p["layers.2.bias"], p, "after_layers"
    ), weights


@pytest.mark.parametrize("by_many", [True, False])
@pytest.mark.parametrize(("regions", "tokens"), [(4, 3), (1, 3), (4, 1), (1, 1)])
def test_cross_attention_is_its_formula_head_by_head(regions, tokens, by_many):
    from models.neural.cross_attention_network import CoAttention

    x, _, h, h_mask, _ = sequences(regions, tokens)
    block = CoAttention(6, heads=2, by_many=by_many).double()
    for bias in (block.attend.in_proj_bias, block.attend.out_proj.bias):  # zeros, to begin with
        torch.nn.init.normal_(bias)
    outputs, weights = (
        block(x, h, h_mask).detach().numpy(),
        block.weights(x, h, h_mask).detach().numpy(),
    )
    for n in range(len(x)):
        expected, expected_weights = co_attention(
            x[n].numpy(), h[n].numpy(), h_mask[n].numpy(), plain(block), 2
        )
        np.testing.assert_allclose(outputs[n], expected, atol=1e-10)
        np.testing.assert_allclose(weights[n], expected_weights, atol=1e-10)


def test_order_of_regions_and_tokens_makes_no_difference_to_cross_attention():
    train, y = views("sequence")
    fitted = CrossAttention(reduce=4, **FEW).fit(train, y)
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


def test_cross_attention_weights_add_up_to_one_over_pairs_that_exist():
    train, y = views("sequence")
    holes = Views(without(train.image, slice(0, 3)), without(train.text, slice(2, 5)))
    alpha = CrossAttention(reduce=4, **FEW).fit(holes, y).attention(holes)
    np.testing.assert_allclose(alpha.sum(axis=(1, 2)), 1, atol=1e-5)
    (_, x_mask), (_, h_mask) = holes.image.sequence(), holes.text.sequence()
    whole = np.arange(5, 60)
    assert np.all(alpha[whole][~(x_mask[:, :, None] & h_mask[:, None, :])[whole]] == 0)
    assert np.all(alpha[:3, 1:] == 0)  # the vector of a missing picture stands in the first place
    assert np.all(alpha[2:5, :, 1:] == 0)


def test_heads_that_do_not_divide_the_width_are_an_error_with_the_nearest_that_do():
    train, y = views("sequence")
    with pytest.raises(ValueError, match=r"multiple of heads \(4\), not 10; the nearest is 8"):
        CrossAttention(heads=4, width=10).fit(train, y)


# --- gradients


def networks():
    from models.neural.attention_network import PairAttention
    from models.neural.cross_attention_network import CrossAttentionNetwork
    from models.neural.pooled_network import GatedUnit

    return {"dot": (PairAttention(6, 6, 2, 3, 4, "dot", 0.0), sequences()),
            "cosine": (PairAttention(6, 6, 2, 3, 4, "cosine", 0.0), sequences()),
            "hidden": (PairAttention(6, 6, 2, 3, 4, "dot", 0.0, "hidden"), sequences()),
            "cross": (CrossAttentionNetwork(6, 6, 2, 3, 4, 2, 0.0), sequences()),
            "gated": (GatedUnit(4, 4, 3, 5, 0.0, 0.0), vectors())}


@pytest.mark.parametrize("name", ["dot", "cosine", "hidden", "cross", "gated"])
def test_gradients_of_whole_networks(name):
    torch.manual_seed(0)
    network, inputs = networks()[name]
    network.double()
    for tensor in inputs:
        if tensor.is_floating_point():
            tensor.requires_grad_()
    assert torch.autograd.gradcheck(network, inputs)


def test_gradients_of_the_co_training_loss():
    from models.neural.losses import row_losses
    from models.neural.pooled_network import Branches, co_training_loss

    rng = np.random.default_rng(0)
    scores = [torch.from_numpy(rng.normal(size=(5, 3))).requires_grad_() for _ in range(3)]
    _, has_x, _, has_y = vectors()
    codes = torch.tensor([0, 1, 2, 1, 0])
    loss = co_training_loss(row_losses("mse", 0.1, "balanced", np.array([0, 0, 1, 2])), 0.5, 0.7)
    assert torch.autograd.gradcheck(
        lambda *given: loss(Branches(*given, has_x, has_y), codes), scores
    )


# --- gated


def test_gated_unit_is_its_formula():
    from models.neural.pooled_network import GatedUnit

    torch.manual_seed(0)
    unit = GatedUnit(4, 4, 3, 5, 0.3, 0.2).double().eval()
    with torch.no_grad():
        unit.missing.no_picture += 1.0
        unit.missing.no_text -= 0.5
    x, has_x, y, has_y = vectors()
    p = plain(unit)
    for n in range(5):
        picture = x[n].numpy() if has_x[n] else p["missing.no_picture"]
        text = y[n].numpy() if has_y[n] else p["missing.no_text"]
        z = 1 / (1 + np.exp(-(p["gate.weight"] @ np.r_[picture, text] + p["gate.bias"])))
        a = np.tanh(p["of_picture.weight"] @ picture + p["of_picture.bias"])
        b = np.tanh(p["of_text.weight"] @ text + p["of_text.bias"])
        expected = p["head.weight"] @ (z * a + (1 - z) * b) + p["head.bias"]
        np.testing.assert_allclose(
            unit(x, has_x, y, has_y)[n].detach().numpy(), expected, atol=1e-12
        )
        np.testing.assert_allclose(
            unit.attention(x, has_x, y, has_y)[n].detach().numpy(), [z.mean(), 1 - z.mean()]
        )


def test_what_stands_for_missing_features_is_trained_as_if_it_stood_there():
    from models.neural.pooled_network import GatedUnit

    torch.manual_seed(0)
    unit = GatedUnit(4, 4, 3, 5, 0.0, 0.0).double()
    torch.nn.init.normal_(unit.missing.no_picture)
    torch.nn.init.normal_(unit.missing.no_text)
    gradients = []
    for training in (True, False):
        scores = unit.train(training)(*vectors())
        gradients.append(torch.autograd.grad(scores.square().sum(), list(unit.parameters())))
    for trained, plain_form in zip(*gradients, strict=True):
        torch.testing.assert_close(trained, plain_form)


def one_modality_is_noise(n: int, seed: int) -> tuple[Views, np.ndarray, np.ndarray]:
    """In each sample either the picture or the text is noise of the same size.

    A column of each tells which.
    """
    rng = np.random.default_rng(seed)
    y = labels(n)
    noisy = rng.integers(0, 2, n)
    blocks = []
    for modality in (0, 1):
        rows = pooled(y, 6, 10 * seed + modality, noise=0.3)
        broken = noisy == modality
        rows[broken] = rows[rng.permutation(n)[:broken.sum()]]  # another sample's
        blocks.append(Block.of(np.column_stack([rows, 2.0 * broken]).astype(np.float32)))
    return Views(*blocks), y, noisy


def test_gated_turns_to_the_modality_that_is_not_noise_and_beats_concat():
    train, y, _ = one_modality_is_noise(600, 0)
    test, expected, noisy = one_modality_is_noise(300, 1)
    gated = Gated(width=16, epochs=60, patience=15, learning_rate=0.01, dropout=0.1).fit(train, y)
    concat = Concat(Logistic()).fit(train, y)
    accuracy, of_concat = (
        np.mean(model.predict(test) == expected) for model in (gated, concat)
    )
    assert accuracy > 0.93
    assert accuracy > of_concat + 0.1
    weights = gated.attention(test)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights[noisy == 1, 0].mean() > weights[noisy == 0, 0].mean() + 0.2


# --- co-training


def softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores)
    return odds / odds.sum(axis=1, keepdims=True)


def test_co_training_loss_is_its_formula():
    from models.neural.losses import row_losses
    from models.neural.pooled_network import Branches, co_training_loss

    rng = np.random.default_rng(0)
    fused, picture, text = rng.normal(size=(3, 5, 3))
    _, has_x, _, has_y = vectors()
    codes = np.array([0, 1, 2, 1, 0])
    total = 0.0
    for n, code in enumerate(codes):
        p, q, r = (softmax(scores)[n] for scores in (fused, picture, text))
        total -= np.log(p[code]) + 0.5 * (
            has_x[n].item() * np.log(q[code]) + has_y[n].item() * np.log(r[code])
        )
        if has_x[n] and has_y[n]:
            total += 0.7 * (np.sum(q * np.log(q / r)) + np.sum(r * np.log(r / q))) / 2
    loss = co_training_loss(row_losses("cross_entropy", 0.0, "none", codes), 0.5, 0.7)
    computed = loss(
        Branches(*map(torch.from_numpy, (fused, picture, text)), has_x, has_y),
        torch.from_numpy(codes),
    )
    assert float(computed) == pytest.approx(total / 5, rel=1e-5)


def test_agreement_brings_the_branches_together():
    y = labels(120)
    train = Views(Block.of(pooled(y, 6, 0, noise=2.0)), Block.of(pooled(y, 5, 1, noise=2.0)))
    disagreement = []
    for agreement in (0.0, 3.0):
        fitted = CoTraining(agreement=agreement, epochs=30, patience=30).fit(train, y)
        with torch.no_grad():
            branches = fitted.network_(*fitted._inputs(train))
        disagreement.append(
            np.abs(softmax(branches.picture.numpy()) - softmax(branches.text.numpy())).mean()
        )
    assert disagreement[1] < 0.7 * disagreement[0]


@pytest.mark.parametrize("cls", [Gated, CoTraining])
@pytest.mark.parametrize("lost", ["image", "text"])
def test_with_modality_dropout_either_modality_serves_alone(cls, lost):
    train, y = views(n=240)
    test, expected = views(n=120, seed=7)
    fitted = cls(modality_dropout=0.4, epochs=40, patience=40, learning_rate=0.01).fit(train, y)
    alone = Views(
        **{
            m: without(block, slice(None)) if m == lost else block
            for m, block in test.blocks().items()
        }
    )
    assert np.mean(fitted.predict(alone) == expected) > 0.85


def test_modality_dropout_takes_one_modality_of_its_share_of_complete_samples():
    from models.neural.pooled_network import Missing

    torch.manual_seed(0)
    missing = Missing(3, 2, 0.4)
    n = 4000
    x, y, there = torch.ones(n, 3), torch.ones(n, 2), torch.ones(n, dtype=torch.bool)
    a, b = missing(x, there, y, there)
    lost_x, lost_y = (a[:, 0] == 0), (b[:, 0] == 0)
    assert float(lost_x.float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float(lost_y.float().mean()) == pytest.approx(0.2, abs=0.03)
    assert not bool((lost_x & lost_y).any())
    a, _ = missing(x, there, y, ~there)  # a picture alone is never taken
    assert bool((a == 1).all())
    assert all(bool((vectors == 1).all()) for vectors in missing.eval()(x, there, y, there))


def test_wide_sparse_texts_enter_by_their_leading_components():
    from scipy import sparse

    y = labels(90)
    rng = np.random.default_rng(0)
    words = (rng.random((90, 700)) < 0.02).astype(np.float32)
    words[np.arange(90), np.searchsorted(np.unique(y), y)] += 2
    train = Views(Block.of(pooled(y, noise=3.0)), Block.of(sparse.csr_matrix(words)))
    fitted = CoTraining(epochs=20).fit(train, y)
    assert fitted._inputs(train)[2].shape[1] <= 256
    assert np.mean(fitted.predict(train) == y) > 0.95


def test_the_product_is_a_bilinear_form_beside_both_layers():
    from models.neural.pooled_network import TwoBranches

    torch.manual_seed(0)
    network = TwoBranches(5, 4, 3, 6, 0.0, 0.0, "product").eval()
    x, y, there = torch.randn(7, 5), torch.randn(7, 4), torch.ones(7, dtype=torch.bool)
    with torch.no_grad():
        a, b = network.of_picture(x).relu(), network.of_text(y).relu()
        u, v = network.product.of_a, network.product.of_b
        m = torch.tanh(a @ u.weight.T + u.bias) * torch.tanh(b @ v.weight.T + v.bias)
        expected = torch.cat([a, b, m], dim=1) @ network.fused_head.weight.T
        scores = network.fused(x, there, y, there)
    torch.testing.assert_close(scores, expected + network.fused_head.bias)


@pytest.mark.parametrize(("interaction", "least", "most"), [("none", 0, 0.7), ("product", 0.95, 1)])
def test_only_the_product_answers_where_neither_side_says_anything(interaction, least, most):
    """The class is whether two coins agree: no sum of what each says can tell."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, (2, 400))
    rows = [np.stack([coin, 1 - coin, rng.normal(size=400)], axis=1) for coin in (x, y)]
    both = Views(*(Block.of(array.astype(np.float32)) for array in rows))
    agree = (x == y).astype(int)
    train, test = np.arange(300), np.arange(300, 400)
    fitted = CoTraining(interaction=interaction, dropout=0.0, modality_dropout=0.0, epochs=60)
    fitted.fit(both.take(train), agree[train])
    assert least <= np.mean(fitted.predict(both.take(test)) == agree[test]) <= most


@pytest.mark.parametrize(("projection", "least", "most"), [("linear", 0, 0.7), ("hidden", 0.9, 1)])
def test_only_a_hidden_layer_reads_a_question_that_is_denied(projection, least, most):
    """Is it (not) so: picture, what is asked and whether it is denied decide, all three."""
    rng = np.random.default_rng(0)
    x, asked, denied = rng.integers(0, 2, (3, 600))
    rows = [
        np.stack([*coins, *(1 - coin for coin in coins)], axis=1)
        for coins in ((x, rng.integers(0, 2, 600)), (asked, denied))
    ]
    both = Views(*(Block.of(array.astype(np.float32)) for array in rows))
    answers = x ^ asked ^ denied
    train, test = np.arange(450), np.arange(450, 600)
    fitted = Attention(projection=projection, dropout=0.0, learning_rate=0.01, patience=30)
    fitted.fit(both.take(train), answers[train])
    assert least <= np.mean(fitted.predict(both.take(test)) == answers[test]) <= most
