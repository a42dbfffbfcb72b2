"""The grid file as frozen, typed objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.config.components import Component, Encoders
from pipeline.config.problem import Mistake
from pipeline.data.row_check import MissingGroup, Policy
from pipeline.data.sources.class_texts import GivenTexts
from pipeline.engine.limit import LIMIT, checked_limit
from pipeline.engine.opening import EngineName
from reports.wording import for_terminal

# What a grid need not say.
REPEATS = 5  # of folds
GridTask: TypeAlias = Literal["classification", "retrieval"]
TrackerName: TypeAlias = Literal["mlflow", "trackio"]
TASKS: dict[GridTask, str] = {
    "classification": "which class a row has",
    "retrieval": "which picture goes with a text, which text with a picture; needs no labels",
}
METRIC: dict[GridTask, str] = {"classification": "balanced_accuracy", "retrieval": "hit_at_10"}
# Smooth ones, so that a few rows decide nothing.
TUNING_METRIC: dict[GridTask, str] = {"classification": "log_loss", "retrieval": "reciprocal_rank"}


class Split(BaseModel):
    """How outer folds are drawn: `folds` (times `repeats`), `holdout`s, or the `official` split.

    Folds are drawn five times unless `repeats` says otherwise: one draw's answer can be another
    draw's denial. A hold-out is drawn once.

    Parameters
    ----------
    folds : parts that the rows are cut into, each of which is tested once (default 5).
    repeats : how often folds or hold-outs are drawn (default 5 times folds, one hold-out).
    holdout : share of the rows that is tested; of the classes with `unseen_classes`.
    official : whether the split that comes with the data is taken.
    group : the column whose rows never straddle folds ("text", "image": rows of the same text or
        picture; "none": no groups; by default the one that the source declares).
    inner : folds inside the training rows, which choose parameters.
    unseen_classes : whether whole classes are held out instead of rows, outside and inside. No
        class of the `official` split may then have rows in both parts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    official: bool = False
    group: str | None = None
    inner: Annotated[int, Field(ge=2, le=20)] = 3
    unseen_classes: bool = False

    @model_validator(mode="before")
    @classmethod
    def _default_folds(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("holdout") is None and not given.get("official"):
            return {"folds": 5, "repeats": REPEATS, **given}
        return given

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        ways = [name for name in ("folds", "holdout", "official") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError(f"give one of folds, holdout or official, not {' and '.join(ways)}")
        if self.official and self.repeats > 1:
            raise ValueError("the official split is one split: it cannot be repeated")
        return self


TimeLimitText = Annotated[
    str, BeforeValidator(checked_limit), Field(json_schema_extra={"pattern": f"^{LIMIT}$"})
]


class Run(BaseModel):
    """Where a run computes, and how long it may. Nothing of this changes a result or is in a key.

    Parameters
    ----------
    engine : worker `processes` of this machine, or the workers of a `dask` cluster.
    address : of a dask scheduler, such as tcp://host:8786; without one, dask starts workers on this
        machine.
    time_limit : how long it may take, such as 10m, 90s or 2h: it then begins with what tells most,
        reports on what it reached, and goes on from there when it is run again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: EngineName = "processes"
    address: Annotated[str, Field(pattern=r"^\w+://\S+$")] | None = None
    time_limit: TimeLimitText | None = None

    @model_validator(mode="after")
    def _with_dask(self) -> Run:
        if self.address and self.engine != "dask":
            raise ValueError("an address is that of a dask scheduler: say engine: dask, too")
        return self


@dataclass(frozen=True)
class Grid:
    """Everything one run compares, filled in; lists of components are what the grid crosses.

    `task` says what is asked of the fusions: classes of rows, or the text of a picture and the
    picture of a text. `extra_metrics` are scored beside those of the task. `rope` is the smallest
    difference that matters, by metric. `plugins` are modules whose parts it may name. `left_out`
    says what it would compare by default if it were installed, a sentence each.
    """

    name: str
    task: GridTask
    seed: int
    data: Component
    on_bad_rows: Policy
    keep_unlabelled: bool
    missing_group: MissingGroup
    class_texts: GivenTexts | None
    split: Split
    image: tuple[Encoders, ...]
    text: tuple[Encoders, ...]
    fusion: tuple[Component, ...]
    classifier: tuple[Component, ...]
    metric: str
    tuning_metric: str
    extra_metrics: tuple[str, ...]
    rope: Mapping[str, float]
    learning_curve: tuple[float, ...]
    track: TrackerName | None  # who is told of the finished run
    run: Run
    folder: Path
    plugins: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class GridError(Exception):
    """A grid file with mistakes; `problems` has a line for each: where, the rule and the value.

    `mistakes` are the same for programs, of a grid that was read from a file.
    """

    def __init__(self, problems: Sequence[str], mistakes: Sequence[Mistake] = ()) -> None:
        self.mistakes = tuple(mistakes)
        self.problems = tuple(map(for_terminal, problems))
        super().__init__("\n".join(self.problems))
