"""The training loop: early stopping, the best weights, groups, rates, divergence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from features.training.batches import RowBatches, TrainingSamples
from features.training.held_out import split_for_stopping
from features.training.loop import train
from features.training.losses import logit_loss
from features.training.settings import History, Training, mean_course

HOW = Training(epochs=30, patience=5, learning_rate=0.05, weight_decay=0.0, random_state=0)


pytestmark = pytest.mark.usefixtures("one_thread")


def rows(n: int = 120, noise: float = 1.0) -> tuple[torch.Tensor, np.ndarray]:
    codes = np.arange(n) % 3
    centres = np.random.default_rng(0).normal(size=(3, 4))
    values = centres[codes] + noise * np.random.default_rng(1).normal(size=(n, 4))
    return torch.from_numpy(values.astype(np.float32)), codes


def samples(values, codes, groups=None) -> TrainingSamples:
    return TrainingSamples(RowBatches([values], HOW.batch_size), codes, groups)


def trained(how: Training = HOW, objective=None, **changes):
    return train(
        lambda: nn.Linear(4, 3),
        samples(*rows(), changes.get("groups")),
        objective or logit_loss("cross_entropy"),
        how,
    )


def test_the_held_out_loss_stops_training_and_its_best_weights_are_kept():
    network, history = trained(Training(60, 3, 0.5, 0.0, 0))
    assert len(history.held_out) == history.best_epoch + 3 < 60
    assert history.best_epoch == 1 + int(np.argmin(history.held_out))
    again, shorter = trained(Training(history.best_epoch, 3, 0.5, 0.0, 0))
    assert shorter.held_out == history.held_out[:history.best_epoch]
    for weight, same in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, same)


@pytest.mark.parametrize(
    ("losses", "epochs"),
    [
        ([1, 2, 3, 4, 5, 6, 7], 3),  # of patience 4, two that rose suffice
        ([1, 2, 1.5, 2, 1.6, 7, 8], 5),
        ([3, 2, 1, 2, 1.5, 1.6, 1.7, 8], 7),
        ([2, 3, 1, 1, 1, 1, 1, 8], 7),  # to stay is not to rise
    ],
)
def test_half_the_patience_suffices_where_the_held_out_loss_rose_each_time(losses, epochs):
    given = iter(losses)

    def criterion(outputs, codes):
        return outputs.new_tensor(float(next(given)))

    how = Training(8, 4, 0.05, 0.0, 0, stops_rising=True)
    _, history = train(
        lambda: nn.Linear(4, 3), samples(*rows()), logit_loss("cross_entropy"), how, criterion
    )
    assert len(history.held_out) == epochs
    assert history.best_epoch == 1 + int(np.argmin(history.held_out))


def test_without_held_out_rows_it_trains_to_the_end():
    _, history = trained(Training(7, 2, 0.05, 0.0, 0, held_out=0))
    assert (history.best_epoch, len(history.fitted), history.held_out) == (7, 7, ())
    assert history.fitted[-1] < history.fitted[0]


def test_facts_are_plain_data():
    _, history = trained()
    assert set(history.facts()) == {"kept", "fitted", "held_out"}
    assert all(isinstance(value, float) for value in history.facts()["fitted"])


def test_rows_that_are_given_are_trained_on_and_stopped_by():
    values, codes = rows()
    fitted, held_out = np.arange(0, 90), np.arange(90, 120)
    known = TrainingSamples(RowBatches([values], HOW.batch_size), codes, split=(fitted, held_out))
    network, history = train(lambda: nn.Linear(4, 3), known, logit_loss("cross_entropy"), HOW)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(
            network(values[held_out]), torch.from_numpy(codes[held_out])
        )
    assert float(loss) == pytest.approx(min(history.held_out), rel=1e-5)


@pytest.mark.parametrize(("best", "waits"), [(1, 2), (4, 2), (5, 3), (9, 5), (20, 6)])
def test_it_waits_for_half_of_what_it_took_where_that_is_asked_for(best, waits):
    how = Training(60, 6, 0.5, 0.0, 0, least_patience=2)
    assert how.waits(best) == waits
    assert replace(how, least_patience=None).waits(best) == 6
    _, history = trained(how)
    assert len(history.fitted) == history.best_epoch + how.waits(history.best_epoch)


def test_a_mean_course_lasts_as_long_as_the_longest_and_keeps_the_last_of_the_best_epochs():
    courses = [History(1, (4.0, 2.0), (3.0, 5.0)), History(3, (2.0, 1.0, 1.0), (4.0, 3.0, 1.0))]
    assert mean_course(courses) == History(3, (3.0, 1.5, 1.5), (3.5, 4.0, 3.0))
    assert mean_course([History(2, (4.0, 2.0), ())]) == History(2, (4.0, 2.0), ())


def test_groups_reach_the_split():
    values, codes = rows()
    groups = np.arange(len(codes)) // 6
    seen = []

    def objective(outputs, codes):
        return outputs.square().mean()

    class Spy(nn.Linear):
        def forward(self, given):
            seen.append((self.training, given[:, 0].tolist()))
            return super().forward(given)

    train(lambda: Spy(4, 3), samples(values, codes, groups), objective, replace(HOW, epochs=1))
    group_of = dict(zip(values[:, 0].tolist(), groups, strict=True))
    fitted, held_out = set(), set()
    for training, batch in seen:
        (fitted if training else held_out).update(group_of[value] for value in batch)
    assert fitted
    assert held_out
    assert not fitted & held_out


def test_divergence_is_an_error_that_names_the_cause():
    with pytest.raises(
        FloatingPointError, match=r"diverged in epoch 1: the loss is nan; learning_rate 0.05"
    ):
        trained(objective=lambda outputs, codes: outputs.sum() * float("nan"))


def test_groups_of_parameters_learn_at_rates_of_their_own_and_divergence_names_them():
    def run(rate):
        return train(
            lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)),
            samples(*rows()),
            logit_loss("cross_entropy"),
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


def test_stopping_looks_at_the_criterion_where_it_is_another_loss():
    measured = []

    def criterion(outputs, codes):
        measured.append(len(codes))
        return outputs.new_tensor(float(len(measured)))

    values, codes = rows()
    network, history = train(
        lambda: nn.Linear(4, 3), samples(values, codes), logit_loss("cross_entropy"), HOW, criterion
    )
    assert history.held_out == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert history.best_epoch == 1
    assert set(measured) == {18}
    assert not network.training


def test_the_share_held_out_is_the_settings():
    _, codes = rows()
    sizes = []

    def objective(outputs, codes):
        if not outputs.requires_grad:
            sizes.append(len(codes))
        return nn.functional.cross_entropy(outputs, codes)

    trained(replace(HOW, held_out=0.3, epochs=1), objective)
    _, held_out = split_for_stopping(codes, 0.3, np.random.default_rng(0))
    assert sizes == [len(held_out)] == [36]


def rates_of_steps(monkeypatch, how: Training) -> list[list[float]]:
    """Learning rates of the groups at each step."""
    rates = []
    for cls in (torch.optim.AdamW, torch.optim.SGD):
        def step(self, *given, of=cls.step, **named):
            rates.append([group["lr"] for group in self.param_groups])
            return of(self, *given, **named)

        monkeypatch.setattr(cls, "step", step)
    train(
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)),
        samples(*rows()),
        logit_loss("mse"),
        how,
        parameters=lambda network: [
            {"params": network[1].parameters()},
            {"params": network[0].parameters(), "lr": how.learning_rate / 10},
        ],
    )
    return rates


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_one_cycle_rises_to_each_groups_rate_and_falls_to_nothing(monkeypatch, optimizer):
    how = replace(
        HOW, epochs=20, patience=20, optimizer=optimizer, schedule="one_cycle", learning_rate=0.01
    )
    rates = np.array(rates_of_steps(monkeypatch, how))
    assert len(rates) == 20 * 2  # 102 rows in batches of 64
    np.testing.assert_allclose(rates.max(axis=0), [0.01, 0.001], rtol=1e-2)
    np.testing.assert_allclose(rates[:, 1] * 10, rates[:, 0])
    assert 0.25 < rates[:, 0].argmax() / len(rates) < 0.35
    assert rates[-1, 0] < 1e-4


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_constant_rate_is_each_groups_own(monkeypatch, optimizer):
    how = replace(HOW, epochs=3, optimizer=optimizer, learning_rate=0.01)
    assert rates_of_steps(monkeypatch, how) == [[0.01, 0.001]] * 6


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_precision_makes_no_difference_on_a_processor(precision):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert trained(replace(HOW, precision=precision))[1] == trained()[1]


class Narrow(nn.Linear):
    """A layer whose device has memory for so many rows at once."""

    room = 20

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if len(values) > self.room:
            raise torch.OutOfMemoryError("no room")
        return super().forward(values)


def test_a_batch_that_does_not_fit_into_memory_is_taken_in_parts():
    parts, history = train(
        lambda: Narrow(4, 3), samples(*rows()), logit_loss("cross_entropy"), HOW
    )
    whole, same = trained()
    for weight, expected in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(history.held_out, same.held_out, rtol=1e-4)


def test_a_loss_that_is_not_the_mean_of_its_parts_needs_the_memory():
    with pytest.raises(torch.OutOfMemoryError):
        train(
            lambda: Narrow(4, 3),
            samples(*rows()),
            logit_loss("cross_entropy"),
            replace(HOW, separable=False),
        )


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_gpu_trains_to_the_weights_of_a_cpu(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, history = trained(replace(HOW, precision=precision))
    assert next(network.parameters()).device.type == "cpu"
    monkeypatch.setattr("features.training.torch_state.device", lambda: torch.device("cpu"))
    for module in ("loop", "batches"):
        monkeypatch.setattr(f"features.training.{module}.device", lambda: torch.device("cpu"))
    with torch.random.fork_rng():
        alone, on_cpu = trained()
    tolerance = 1e-3 if precision == "float32" else 0.05
    assert abs(min(history.held_out) - min(on_cpu.held_out)) < tolerance
    values = rows()[0]
    agree = network(values).argmax(dim=1) == alone(values).argmax(dim=1)
    assert agree.float().mean() > 0.95


@pytest.mark.gpu
def test_a_batch_that_a_gpu_has_no_memory_for_is_taken_in_parts() -> None:
    """Rows of 4 MB that become 128 MB each: 64 of them need 8 GB."""

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            wide = values.repeat(1, 2**23)  # 128 MB a row
            return self.layer(wide.reshape(len(values), -1, 4).mean(dim=1))

    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(4e9 / torch.cuda.mem_get_info()[1])
    try:
        how = replace(HOW, epochs=2, precision="float32")
        history = train(Wide, samples(*rows()), logit_loss("cross_entropy"), how)[1]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert len(history.fitted) == 2
    assert np.isfinite(history.fitted).all()
