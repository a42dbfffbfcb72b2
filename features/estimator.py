"""Parameters as scikit-learn's estimators have them, without importing scikit-learn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any, Self


class Estimator:
    """What scikit-learn asks of an estimator: parameters that can be read and set, and tags.

    Its own BaseEstimator takes the better part of a second to import, with scipy.stats and pandas
    behind it, and a run whose results are all stored fits nothing. Clones, estimator checks and
    input checks of scikit-learn work with this class as with their own. Subclasses' constructors
    only store their parameters: they are dataclasses (kw_only=True, eq=False, repr=False), whose
    fields are the parameters.
    """

    @property
    def requires(self) -> tuple[str, ...]:
        """Modules that it imports, as it is set, and that the base install does not bring.

        By the names that Python imports them by. The pipeline asks before anything is computed, and
        says by which extra of the install (see features.machine.extras) those that are missing
        come.
        """
        return ()

    def all_required(self) -> tuple[str, ...]:
        """Those of its own and of the estimators among its parameters, each once."""
        inner = [value for value in self.get_params(deep=False).values()
                 if isinstance(value, Estimator)]
        modules = chain(self.requires, *(value.all_required() for value in inner))
        return tuple(dict.fromkeys(modules))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; if `deep`, those of inner estimators too, as `parameter__name`."""
        parameters: dict[str, Any] = {}
        for name in _names(type(self).__init__):
            value = parameters[name] = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                inner = value.get_params()
                parameters |= {f"{name}__{inner_name}": inner[inner_name] for inner_name in inner}
        return parameters

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name, those of an inner estimator as `parameter__name`.

        Raises
        ------
        ValueError
            For a name that is no parameter.
        """
        names, nested = _names(type(self).__init__), dict[str, dict[str, Any]]()
        for name, value in parameters.items():
            outer, _, inner = name.partition("__")
            if outer not in names:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {outer!r}; "
                    f"it has {', '.join(names) or 'none'}"
                )
            if inner:
                nested.setdefault(outer, {})[inner] = value
            else:
                setattr(self, outer, value)
        for outer, values in nested.items():
            getattr(self, outer).set_params(**values)
        return self

    def unfitted(self) -> Self:
        """Unfitted copy with the same parameters."""
        from sklearn.base import clone

        copy: Self = clone(self)
        return copy

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={value!r}" for name, value in self.get_params(deep=False).items()
        )
        return f"{type(self).__name__}({values})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect of it: nothing beyond any estimator."""
        from sklearn.base import BaseEstimator

        return BaseEstimator().__sklearn_tags__()


class ClassifyingEstimator(Estimator):
    """An estimator that scikit-learn takes for a classifier."""

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect of it: classes, learned from labels."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.target_tags.required = True
        return tags


@cache
def _names(constructor: Callable[..., None]) -> tuple[str, ...]:
    """A constructor's parameters, sorted as scikit-learn has them."""
    if constructor is object.__init__:
        return ()
    return tuple(
        sorted(name for name in inspect.signature(constructor).parameters if name != "self")
    )
