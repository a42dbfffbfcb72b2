"""Settings of a fusion over a classifier, by what they share: one preparation serves many."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

OF_CLASSIFIER = "classifier__"

Values = tuple[tuple[str, Any], ...]


class SharedSetting(NamedTuple):
    """Settings that share everything but the classifier's parameters.

    Parameters
    ----------
    of_fusion : the fusion's parameters, names and values, that all of them have.
    positions : where they stand in the list of all settings.
    of_classifier : the classifier's parameters in each of them.
    """

    of_fusion: Values
    positions: list[int]
    of_classifier: list[dict[str, Any]]

    def without(self, names: Collection[str]) -> Values:
        """The fusion's parameters but those of some names."""
        return tuple((name, value) for name, value in self.of_fusion if name not in names)


def shared_settings(settings: Sequence[Mapping[str, Any]]) -> list[SharedSetting]:
    """The settings by what they say of the fusion's parameters, in the order they come in."""
    shared: dict[Values, SharedSetting] = {}
    for position, setting in enumerate(settings):
        of_fusion = tuple(
            (name, value) for name, value in setting.items() if not name.startswith(OF_CLASSIFIER)
        )
        of_classifier = {
            name.removeprefix(OF_CLASSIFIER): value
            for name, value in setting.items()
            if name.startswith(OF_CLASSIFIER)
        }
        alike = shared.setdefault(of_fusion, SharedSetting(of_fusion, [], []))
        alike.positions.append(position)
        alike.of_classifier.append(of_classifier)
    return list(shared.values())
