"""Training of small networks in PyTorch; imported only when one is trained.

One way for every model: seeded, AdamW, early stopping on rows held out of the training rows, the
best weights restored, mixed precision on a GPU, divergence an error.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Rows = NDArray[np.int64]
Objective = Callable[[Any, Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)
SAMPLES_AT_ONCE = 256


class Rowwise(Protocol):
    """A tensor (n, ...), or what gives rows of one when they are asked for, so that it need not be in memory."""

    def __len__(self) -> int:
        """Rows n."""

    def __getitem__(self, rows: Any, /) -> Tensor:
        """Some of the rows: positions as a tensor, or a slice."""

    def to(self, where: torch.device, /) -> Rowwise:
        """The same on a device; what reads its rows when they are asked for may leave that to the network."""


@dataclass(frozen=True)
class Training:
    """How to train.

    Parameters
    ----------
    epochs : most passes over the training rows.
    patience : passes without a lower held-out loss after which training stops.
    learning_rate, weight_decay : of AdamW (Loshchilov and Hutter 2019).
    random_state : seed of the first weights, dropout, the batches and the held-out rows.
    batch : rows of one step.
    held_out : share of the training rows that early stopping looks at; 0 for none.
    """

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float
    random_state: int
    batch: int = 64
    held_out: float = 0.15


@dataclass(frozen=True)
class History:
    """Course of a training.

    Parameters
    ----------
    kept : the epoch, counted from 1, whose weights were kept.
    fitted, held_out : mean loss of each epoch on the rows trained on (during the epoch, with
        dropout) and on those held out (after it; none where no rows were held out).
    """

    kept: int
    fitted: tuple[float, ...]
    held_out: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def warm_up() -> None:
    """Make an optimiser: with the first one, torch imports its compiler, which nothing here uses."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def train(
    build: Callable[[], Network],
    inputs: Sequence[Rowwise],
    codes: Rows,
    objective: Objective,
    how: Training,
    groups: NDArray[Any] | None = None,
    criterion: Objective | None = None,
    parameters: Callable[[Network], list[dict[str, Any]]] | None = None,
) -> tuple[Network, History]:
    """Train a network until its loss on held-out rows has not fallen for `patience` epochs.

    The weights with the least held-out loss are restored; without held-out rows, training lasts
    `epochs`. Torch's global random state is left as it was.

    Parameters
    ----------
    build : makes the network, with first weights drawn from torch's random state, which is seeded
        before.
    inputs : tensors (n, ...): the network is called with some rows of each.
    codes : (n,) classes from 0: they stratify the held-out rows and are handed to the objective.
    objective : mean loss of some rows from the network's output for them and their codes.
    groups : (n,) rows of one group are never both trained on and held out.
    criterion : what is measured on the held-out rows; the objective itself where it is not given.
    parameters : groups of the network's parameters, for those with a learning rate of their own
        ("lr"); without it, all learn at one.

    Returns
    -------
    network, history : the network in the main memory, without dropout.

    Raises
    ------
    FloatingPointError
        Where the loss is no longer finite.
    """
    rng = np.random.default_rng(how.random_state)
    fitted, held_out = split_for_stopping(codes, how.held_out, rng, groups)
    where = device()
    with torch.random.fork_rng([where] if where.type == "cuda" else []):
        torch.manual_seed(how.random_state)
        network = build().to(where)
        course = _Course(
            network, how, parameters(network) if parameters else [{"params": network.parameters()}]
        )
        there = tuple(tensor.to(where) for tensor in inputs)
        targets = torch.from_numpy(np.asarray(codes, dtype=np.int64)).to(where)
        stopping = torch.from_numpy(held_out).to(where)
        while not course.ended:
            order = torch.from_numpy(rng.permutation(fitted)).to(where)
            course.add(_pass(network, there, targets, objective, order, course),
                       _held_out_loss(network, there, targets, criterion or objective, stopping))
    return network.cpu(), course.end()


class _Course:
    """Optimiser, losses so far, and the best weights."""

    def __init__(self, network: nn.Module, how: Training, groups: list[dict[str, Any]]) -> None:
        on_gpu = device().type == "cuda"
        self.how, self.network = how, network
        # One fused kernel steps all parameters: small networks spend their time on launching many.
        self.optimiser = torch.optim.AdamW(
            groups, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True)
        self.scaler = torch.amp.GradScaler(enabled=on_gpu)
        self.fitted: list[float] = []
        self.held_out: list[float] = []
        self.kept, self.least, self.best = 0, float("inf"), network.state_dict()

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self.optimiser.zero_grad()
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def add(self, fitted: float, held_out: float | None) -> None:
        """Take note of an epoch's losses, and of its weights where they are the best so far."""
        self.fitted.append(fitted)
        self.held_out += [] if held_out is None else [held_out]
        checked = fitted if held_out is None else held_out
        if not np.isfinite(checked):
            raise FloatingPointError(
                f"training diverged in epoch {len(self.fitted)}: the loss is {checked}; "
                f"{self._rates()} is too high")
        if held_out is None:
            self.kept = len(self.fitted)
        elif held_out < self.least:
            self.least, self.kept = held_out, len(self.fitted)
            self.best = copy.deepcopy(self.network.state_dict())

    def _rates(self) -> str:
        others = sorted(
            {group["lr"] for group in self.optimiser.param_groups} - {self.how.learning_rate}
        )
        return " or ".join(
            [f"learning_rate {self.how.learning_rate:g}", *(f"one of {lr:g}" for lr in others)]
        )

    @property
    def ended(self) -> bool:
        """Whether there were enough epochs, or too many without improvement."""
        epochs = len(self.fitted)
        return epochs >= self.how.epochs or epochs - self.kept >= self.how.patience

    def end(self) -> History:
        """Restore the best weights."""
        if self.held_out:
            self.network.load_state_dict(self.best)
        self.network.eval()
        return History(self.kept, tuple(self.fitted), tuple(self.held_out))


def _pass(
    network: nn.Module,
    inputs: Sequence[Rowwise],
    codes: Tensor,
    objective: Objective,
    order: Tensor,
    course: _Course,
) -> float:
    """One pass over the rows in `order`; their mean loss."""
    network.train()
    total = torch.zeros((), device=order.device)
    for rows in torch.split(order, course.how.batch):
        with _mixed_precision(order.device):
            loss = objective(network(*_rows_of(inputs, rows)), codes[rows])
        course.step(loss)
        total += loss.detach() * len(rows)
    return float(total) / max(len(order), 1)


def _rows_of(inputs: Sequence[Rowwise], rows: Tensor) -> list[Tensor]:
    """Some rows of each input; from tensors by index_select, which is faster than indexing on the CPU."""
    return [one.index_select(0, rows) if isinstance(one, Tensor) else one[rows] for one in inputs]


def _held_out_loss(
    network: nn.Module,
    inputs: Sequence[Rowwise],
    codes: Tensor,
    objective: Objective,
    held_out: Tensor,
) -> float | None:
    """Mean loss of the held-out rows; None where there are none."""
    if not len(held_out):
        return None
    network.eval()
    total = 0.0
    with torch.no_grad():
        for rows in torch.split(held_out, SAMPLES_AT_ONCE):
            with _mixed_precision(codes.device):
                loss = objective(network(*_rows_of(inputs, rows)), codes[rows])
            total += float(loss) * len(rows)
    return total / len(held_out)


def applied(network: nn.Module, inputs: Sequence[Rowwise], method: str = "forward") -> Tensor:
    """What a trained network, or another method of it, gives for all rows: a few at a time, without gradients."""
    where = device()
    function = getattr(network.to(where), method)
    with torch.no_grad():
        found = [
            function(*(tensor[part].to(where) for tensor in inputs)).cpu()
            for part in _portions(len(inputs[0]))
        ]
    network.cpu()  # where it can be stored from, and read where there is no GPU
    return torch.cat(found)


def _portions(n: int) -> list[slice]:
    return [slice(start, start + SAMPLES_AT_ONCE) for start in range(0, max(n, 1), SAMPLES_AT_ONCE)]


def _mixed_precision(where: torch.device) -> Any:
    return torch.autocast(where.type, enabled=where.type == "cuda")


def split_for_stopping(
    codes: Rows, share: float, rng: np.random.Generator, groups: NDArray[Any] | None = None
) -> tuple[Rows, Rows]:
    """Rows to fit and rows to stop early on: about the same share of each class, and groups as a whole.

    None are held out of a class whose share is less than half a row, and none where groups are too
    large.
    """
    if groups is None:
        chosen = [rng.permutation(rows)[: round(share * len(rows))]
                  for rows in (np.flatnonzero(codes == code) for code in np.unique(codes))]
        held_out = np.isin(np.arange(len(codes)), np.concatenate(chosen))
    else:
        held_out = _held_out_groups(codes, share, rng, np.unique(groups, return_inverse=True)[1])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _held_out_groups(
    codes: Rows, share: float, rng: np.random.Generator, groups: Rows
) -> NDArray[np.bool_]:
    """Take groups in random order where that brings the classes nearer to their share."""
    sizes = np.zeros((groups.max() + 1, codes.max() + 1))
    np.add.at(sizes, (groups, codes), 1)
    totals = sizes.sum(axis=0)
    taken, counts = np.zeros(len(sizes), dtype=bool), np.zeros_like(totals)
    lacking = share * totals
    for group in rng.permutation(len(sizes)):
        after = counts + sizes[group]
        keeps_every_class = np.all((after < totals) | (sizes[group] == 0))
        if keeps_every_class and np.sum((after - lacking)**2) < np.sum((counts - lacking)**2):
            taken[group], counts = True, after
    return np.asarray(taken[groups])
