"""Networks that know the arguments they were made with, so that they can be made again."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any

from torch import nn


class RecordedModule(nn.Module):
    """A network whose `arguments` are those of its constructor, by name.

    With these and its `state_dict` it can be made again, wherever its class is known.
    """

    arguments: dict[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        constructor = cls.__init__
        signature = inspect.signature(constructor)

        @wraps(constructor)
        def recording(self: RecordedModule, *given: Any, **named: Any) -> None:
            constructor(self, *given, **named)
            if type(self) is cls:
                bound = signature.bind(self, *given, **named)
                bound.apply_defaults()
                self.arguments = dict(list(bound.arguments.items())[1:])

        cls.__init__ = recording  # type: ignore[method-assign, assignment]
