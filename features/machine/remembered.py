"""What takes long to find out and decides keys of cached results, asked once and remembered by whoever can.

A cached run would import torch for what libraries say about themselves alone, and read gigabytes of
weights for their checksums. The pipeline lends its store as the memory; without one, facts are
remembered within the process only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

Facts: TypeAlias = Mapping[str, Any]
Memory: TypeAlias = Callable[[Facts, Callable[[], Facts]], Facts]

_known: dict[str, Facts] = {}
_memories: list[Memory] = []


def recall(question: Facts, ask: Callable[[], Facts]) -> Facts:
    """The remembered answer to a question, or what `ask` returns.

    Parameters
    ----------
    question : JSON with everything that decides the answer, versions of libraries too.
    """
    key = json.dumps(question, sort_keys=True)
    if key not in _known:
        _known[key] = _memories[-1](question, ask) if _memories else ask()
    return _known[key]


@contextmanager
def remembering(memory: Memory) -> Iterator[None]:
    """Within this, answers are kept in and taken from `memory`, called with the question and `ask`."""
    _known.clear()  # what was learned before is to be kept too
    _memories.append(memory)
    try:
        yield
    finally:
        _memories.remove(memory)
