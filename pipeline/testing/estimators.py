"""What every fusion and classifier must do, whatever it learns; how checks build a small one."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from sklearn.base import clone

from models.classifiers.logistic import Logistic
from models.fusion import TakesClassifier

FAST = {"trees": 20, "epochs": 40, "hidden": 16, "iterations": 20}
EXAMPLES: dict[type, Mapping[str, Any]] = {}  # what plugins say of how their parts are built


def built(cls: type[Any], **parameters: Any) -> Any:
    """An estimator with few trees and epochs; logistic regression is its classifier, if any."""
    known = inspect.signature(cls).parameters
    chosen: dict[str, Any] = {name: value for name, value in FAST.items() if name in known}
    chosen |= EXAMPLES.get(cls, {})
    if issubclass(cls, TakesClassifier):
        chosen["classifier"] = Logistic()
    return cls(**(chosen | parameters))


def parameter_types(cls: type[Any]) -> dict[str, Any]:
    """Types of a constructor's parameters; fields are read in the module that declares them."""
    defining: Any = next(base for base in cls.__mro__ if "__init__" in vars(base))
    is_dataclass = "__dataclass_fields__" in vars(defining)
    return typing.get_type_hints(
        defining if is_dataclass else defining.__init__, include_extras=True
    )


def constructor_stores_typed_parameters_that_scikit_learn_can_clone(cls: type[Any]) -> None:
    """Constructor stores typed parameters that scikit-learn can clone."""
    parameters = inspect.signature(cls).parameters
    hints = parameter_types(cls)
    for name, parameter in parameters.items():
        if name == "classifier":
            continue
        assert parameter.default is not parameter.empty, name
        assert TypeAdapter(hints[name]).validate_python(parameter.default) == parameter.default
    estimator = built(cls)
    copy = clone(estimator)
    assert set(copy.get_params(deep=False)) == set(parameters)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert repr(copy) == repr(estimator)


def tuned_parameters_exist_and_their_candidates_are_valid(cls: type[Any]) -> None:
    """Tuned parameters exist and their candidates are valid."""
    hints = parameter_types(cls)
    for name, candidates in cls.tuned.items():
        adapter = TypeAdapter(hints[name])
        assert len(set(candidates)) == len(candidates) > 1
        assert all(adapter.validate_python(value) == value for value in candidates)


CHECKS: tuple[Callable[[type[Any]], None], ...] = (
    constructor_stores_typed_parameters_that_scikit_learn_can_clone,
    tuned_parameters_exist_and_their_candidates_are_valid,
)
