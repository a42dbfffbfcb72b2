"""The trainer of networks: held-out rows, losses, the kept weights, divergence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.neural.losses import classification_loss
from models.trainer import Training, applied, split_for_stopping, train
from tests.support.paths import ROOT

HOW = Training(epochs=30, patience=5, learning_rate=0.05, weight_decay=0.0, random_state=0)


pytestmark = pytest.mark.usefixtures("one_thread")


def rows(n: int = 120, noise: float = 1.0) -> tuple[torch.Tensor, np.ndarray]:
    codes = np.arange(n) % 3
    centres = np.random.default_rng(0).normal(size=(3, 4))
    values = centres[codes] + noise * np.random.default_rng(1).normal(size=(n, 4))
    return torch.from_numpy(values.astype(np.float32)), codes


def trained(how: Training = HOW, **changes):
    values, codes = rows()
    loss = classification_loss("cross_entropy", 0.0, "none", codes)
    return train(
        lambda: nn.Linear(4, 3),
        [values],
        codes,
        changes.get("objective", loss),
        how,
        changes.get("groups"),
    )


def test_held_out_rows_are_the_same_share_of_each_class():
    codes = np.repeat([0, 1, 2], [100, 40, 3])
    fitted, held_out = split_for_stopping(codes, 0.15, np.random.default_rng(0))
    assert list(np.bincount(codes[held_out], minlength=3)) == [15, 6, 0]
    np.testing.assert_array_equal(np.sort(np.r_[fitted, held_out]), np.arange(143))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 20), st.integers(0, 1000))
def test_groups_are_held_out_as_a_whole_and_no_class_is_lost(n, classes, groups, seed):
    rng = np.random.default_rng(seed)
    codes, groups = rng.integers(0, classes, n), rng.integers(0, groups, n)
    fitted, held_out = split_for_stopping(codes, 0.15, np.random.default_rng(seed), groups)
    np.testing.assert_array_equal(np.sort(np.r_[fitted, held_out]), np.arange(n))
    assert not set(groups[fitted]) & set(groups[held_out])
    assert set(codes[fitted]) == set(codes)


def test_groups_hold_out_about_the_share_of_every_class():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), 5)
    codes = np.repeat(rng.integers(0, 4, 200), 5)
    _, held_out = split_for_stopping(codes, 0.15, rng, groups)
    np.testing.assert_allclose(np.bincount(codes[held_out]) / np.bincount(codes), 0.15, atol=0.02)


def test_the_held_out_loss_stops_training_and_its_best_weights_are_kept():
    network, history = trained(Training(60, 3, 0.5, 0.0, 0))
    assert len(history.held_out) == history.kept + 3 < 60
    assert history.kept == 1 + int(np.argmin(history.held_out))
    again, shorter = trained(Training(history.kept, 3, 0.5, 0.0, 0))
    assert shorter.held_out == history.held_out[:history.kept]
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_without_held_out_rows_it_trains_to_the_end():
    _, history = trained(Training(7, 2, 0.05, 0.0, 0, held_out=0))
    assert (history.kept, len(history.fitted), history.held_out) == (7, 7, ())
    assert history.fitted[-1] < history.fitted[0]


def test_facts_are_plain_data():
    _, history = trained()
    assert set(history.facts()) == {"kept", "fitted", "held_out"}
    assert all(isinstance(value, float) for value in history.facts()["fitted"])


def test_groups_reach_the_split():
    values, codes = rows()
    groups = np.arange(len(codes)) // 6
    seen = []

    def objective(found, codes):
        return found.square().mean()

    class Spy(nn.Linear):
        def forward(self, given):
            seen.append((self.training, given[:, 0].tolist()))
            return super().forward(given)

    train(lambda: Spy(4, 3), [values], codes, objective, Training(1, 1, 0.01, 0.0, 0), groups)
    group_of = dict(zip(values[:, 0].tolist(), groups, strict=True))
    fitted, held_out = (
        {group_of[value] for training, some in seen for value in some if training is part}
        for part in (True, False)
    )
    assert fitted
    assert held_out
    assert not fitted & held_out


def test_divergence_is_an_error_that_names_the_cause():
    with pytest.raises(
        FloatingPointError, match=r"diverged in epoch 1: the loss is nan; learning_rate 0.05"
    ):
        trained(objective=lambda found, codes: found.sum() * float("nan"))


def test_applied_in_portions_is_what_the_network_gives():
    network, _ = trained()
    values, _ = rows(600)
    torch.testing.assert_close(applied(network, [values]), network(values).detach())


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_losses_are_their_formulas(loss, smoothing, class_weight):
    rng = np.random.default_rng(0)
    training, codes = np.repeat([0, 1, 2], [10, 5, 1]), np.array([0, 2, 1, 1])
    scores = rng.normal(size=(4, 3))
    odds = np.exp(scores)
    p = odds / odds.sum(axis=1, keepdims=True)
    total = 0.0
    for i, code in enumerate(codes):
        weight = 16 / (3 * [10, 5, 1][code]) if class_weight == "balanced" else 1.0
        for k in range(3):
            t = (1 - smoothing) * (k == code) + smoothing / 3
            total += weight * (
                -t * np.log(p[i, k]) if loss == "cross_entropy" else (p[i, k] - t) ** 2
            )
    found = classification_loss(loss, smoothing, class_weight, training)(
        torch.from_numpy(scores), torch.from_numpy(codes))
    assert float(found) == pytest.approx(total / 4, rel=1e-5)


def test_groups_of_parameters_learn_at_rates_of_their_own_and_divergence_names_them():
    values, codes = rows()
    loss = classification_loss("cross_entropy", 0.0, "none", codes)

    def run(rate):
        return train(
            lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)),
            [values],
            codes,
            loss,
            HOW,
            parameters=(
                lambda network: [
                    {"params": network[1].parameters()},
                    {"params": network[0].parameters(), "lr": rate},
                ]
            ),
        )[0]

    still, moving = run(1e-12), run(0.05)
    with torch.random.fork_rng():
        torch.manual_seed(HOW.random_state)
        first = nn.Linear(4, 4)
    torch.testing.assert_close(still[0].weight, first.weight, rtol=0, atol=1e-8)
    assert not torch.allclose(moving[0].weight, first.weight, atol=1e-2)
    assert not torch.allclose(still[1].weight, moving[1].weight)
    with pytest.raises(
        FloatingPointError, match=r"learning_rate 0.05 or one of 1e\+38 is too high"
    ):
        run(1e38)


def test_warming_up_imports_what_the_first_training_would():
    """In a new process: what a fit imports for the first time counts as its own time."""
    code = ("import sys; from models import FUSIONS; FUSIONS['gated']().warm_up(); before = set(sys.modules)\n"
            "import numpy as np; from features.encoder import Block; from models.views import Views\n"
            "one = Block.of(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))\n"
            "FUSIONS['gated'](epochs=1).fit(Views(one, one), np.arange(40) % 2)\n"
            "later = (set(sys.modules) - before) & {'sklearn', 'torch', 'torch._dynamo'}\n"
            "sys.exit(' '.join(later) or None)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
