"""Facts that decide keys of stored results and take long to establish, established once.

A run whose results are all stored would import torch for what libraries say about themselves alone,
and read gigabytes of weights for their checksums. The pipeline lends its store as the cache of such
facts; without one, they are cached within the process only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

Facts: TypeAlias = Mapping[str, Any]
Value = TypeVar("Value")
FactCache: TypeAlias = Callable[[Facts, Callable[[], Facts]], Facts]

_established: dict[str, Facts] = {}
_caches: list[FactCache] = []


def cached_facts(question: Facts, establish: Callable[[], Facts]) -> Facts:
    """The facts that answer a question, from the cache or as `establish` returns them.

    Parameters
    ----------
    question : JSON with everything that decides the answer, versions of libraries too.
    """
    key = json.dumps(question, sort_keys=True)
    if key not in _established:
        _established[key] = _caches[-1](question, establish) if _caches else establish()
    return _established[key]


def cached_fact(
    question: Facts, name: str, establish: Callable[[], Any], taken: Callable[[Any], Value]
) -> Value:
    """The only fact that answers a question, from the cache or as `establish` returns it.

    Parameters
    ----------
    name : of the fact.
    taken : what is made of it. Where that fails with what the cache has, which anybody may have
        written, the fact is established anew.
    """
    facts = cached_facts(question, lambda: {name: establish()})
    try:
        return taken(facts[name])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return taken(establish())


@contextmanager
def caching_facts(cache: FactCache) -> Iterator[None]:
    """Within this, facts come from `cache`, which is called with the question and `establish`."""
    _established.clear()  # what was established before shall enter the cache too
    _caches.append(cache)
    try:
        yield
    finally:
        _caches.remove(cache)
