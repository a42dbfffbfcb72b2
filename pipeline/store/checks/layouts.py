"""Which arrays and facts an entry of each kind has: what its readers rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Files = Mapping[str, Mapping[str, Any]]
Facts = Mapping[str, Any]
Arrays = Mapping[str, Any]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


FACTS: dict[str, Callable[[object], bool]] = {
    "seconds": _is_number,
    "whole number": _is_whole,
    "text": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, dict),
    "mappings": lambda value: isinstance(value, list)
    and all(isinstance(item, dict) for item in value),
    "texts": _are_texts,
    "mapping to texts": lambda value: isinstance(value, dict) and _are_texts([*value.values()]),
    "mapping to lists of texts": lambda value: isinstance(value, dict)
    and all(map(_are_texts, value.values())),
    "numbers or nothing": lambda value: value is None
    or (isinstance(value, list) and all(map(_is_number, value))),
}


@dataclass(frozen=True)
class Layout:
    """Arrays and facts of a kind of entry.

    Parameters
    ----------
    arrays : kinds of dtype, then the dimensions, by name: "f n k" is an array of floats (n, k).
        Equal letters are equal sizes, in all arrays of the entry; a number is that size, and "*"
        stands for any further dimensions. A name that ends in * stands for all that begin so.
    optional : those that may be missing.
    facts : kinds of value, by name; see FACTS.
    bounds : what is wrong with the values of arrays, if anything.
    """

    arrays: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    bounds: Callable[[Arrays, Facts], str | None] | None = None

    def problem(self, files: Files, facts: Facts) -> str | None:
        """What is wrong with an entry by what its manifest says; None if nothing."""
        missing = [name for name in self.arrays if name not in files]
        if missing:
            return f"it has no array {missing[0]}"
        for name, kind in self.facts.items():
            if name not in facts or not FACTS[kind](facts[name]):
                return f"its fact {name} is no {kind}"
        sizes: dict[str, int] = {}
        for name, about in files.items():
            form = self._form(name)
            if form is not None and not _is_of(form, about, sizes):
                return f"its array {name} is {about['dtype']} {tuple(about['shape'])}"
        return None

    def _form(self, name: str) -> str | None:
        forms = {**self.optional, **self.arrays}
        return forms.get(name, forms.get(f"{name.partition('_')[0]}_*"))


def _is_of(form: str, about: Mapping[str, Any], sizes: dict[str, int]) -> bool:
    """Whether an array is of a form; notes the sizes that its letters stand for."""
    kinds, *dimensions = form.split()
    shape = list(about["shape"])
    if np.dtype(about["dtype"]).kind not in kinds:
        return False
    if dimensions[-1] == "*":
        dimensions.pop()
        shape = shape[: len(dimensions)]
    if len(shape) != len(dimensions):
        return False
    return all(
        size == (int(letter) if letter.isdecimal() else sizes.setdefault(letter, size))
        for letter, size in zip(dimensions, shape, strict=True)
    )


# Bounds of values


def _between(array: Any, low: int, end: float) -> bool:
    values = np.asarray(array)
    return not values.size or bool(values.min() >= low and values.max() < end)


def _are_ends(ends: Any, total: int) -> bool:
    """Whether these are ends of parts, one after the other, of something of `total` items."""
    steps = np.diff(np.asarray(ends), prepend=0)
    return not steps.size or bool(steps.min() >= 0 and ends[-1] <= total)


def _texts(arrays: Arrays, facts: Facts) -> str | None:
    if _are_ends(arrays["ends"], len(arrays["bytes"])):
        return None
    return "its texts end where they cannot"


def _shard(arrays: Arrays, facts: Facts) -> str | None:
    if "columns" not in arrays:
        return None
    ends = arrays.get("column_ends", ())
    if len(ends) == arrays["values"].shape[1] and _are_ends(ends, len(arrays["columns"])):
        return None
    return "the names of its columns end where they cannot"


def _features(arrays: Arrays, facts: Facts) -> str | None:
    if "shards" not in facts:
        return None if "values" in arrays else "it has no array values"
    if not {"shard", "row"} <= arrays.keys() or facts.get("shape") is None:
        return "it does not say where its rows lie"
    if facts["shape"][0] != len(arrays["shard"]):
        return "it has not as many rows as its shape says"
    are_known = _between(arrays["shard"], 0, len(facts["shards"]))
    return None if are_known and _between(arrays["row"], 0, np.inf) else "its rows lie nowhere"


def _folds(arrays: Arrays, facts: Facts) -> str | None:
    if not (_between(arrays["outer"], 0, 4) and _between(arrays["inner"], -1, np.inf)):
        return "its folds have parts that there are not"
    if not bool((np.asarray(arrays["outer"]) == 1).any(axis=1).all()):
        return "one of its folds has no training rows"
    return None


def _context(arrays: Arrays, facts: Facts) -> str | None:
    if not _between(arrays["labels"], -1, facts["classes"]):
        return "its labels are of classes that there are not"
    if not all(_between(index, -1, np.inf) for name, index in arrays.items() if "index_" in name):
        return "its rows have samples that there are not"
    return _folds(arrays, facts)


def _duplicates(arrays: Arrays, facts: Facts) -> str | None:
    return None if _between(arrays["pairs"], 0, np.inf) else "its pairs are of no samples"


def _issues(arrays: Arrays, facts: Facts) -> str | None:
    return None if _between(arrays["positions"], 0, np.inf) else "its positions are of no rows"


def _ranks(arrays: Arrays, facts: Facts) -> str | None:
    for way in WAYS:
        ends, ranks = arrays[f"{way}_ends"], arrays[f"{way}_ranks"]
        count = len(arrays[f"{way}_candidates"])
        if not (_are_ends(ends, len(ranks)) and _between(ranks, 1, count + 1)):
            return "it has ranks of no candidates"
        if not _between(arrays[f"{way}_nearest"], 0, np.inf):
            return "its nearest candidates are no rows"
    return _inner_ranks(arrays, facts)


def _inner_ranks(arrays: Arrays, facts: Facts) -> str | None:
    """Each inner fold's queries and candidates, and the ranks of what is right, fold after fold."""
    there = INNER_RANKS.keys() & arrays.keys()
    if not there:
        return None
    if len(there) < len(INNER_RANKS):
        return "it has a part of its ranks on inner folds"
    for way in WAYS:
        ranks, ends, folds = (
            np.asarray(arrays[f"inner_{way}_{name}"]) for name in ("ranks", "ends", "folds")
        )
        if not _between(folds, 1, np.inf) or folds[:, 0].sum() != len(ends) or not len(folds):
            return "its inner folds have queries that there are not"
        steps = np.diff(ends, prepend=0)
        if not _between(steps, 1, np.inf) or steps.sum() != len(ranks):
            return "its queries on inner folds have right answers that there are not"
        if not _between(ranks, 1, folds[:, 1].max() + 1):
            return "it has ranks of no candidates on inner folds"
    return None


WAYS = ("text_to_image", "image_to_text")
SHARD = Layout(
    {"values": "fiu n *", "digests": "u n 32"},
    {"mask": "b n t", "columns": "u b", "column_ends": "iu d"},
    {"encode_seconds": "seconds"},
    _shard,
)
FOLDS = {"numbers": "iu s 2", "outer": "iu s n", "inner": "iu s n"}
SECONDS = {"fit_seconds": "seconds", "predict_seconds": "seconds"}
# of f inner folds together: t texts and p pictures, i right answers either way
INNER_RANKS = {
    "inner_text_to_image_ranks": "iu i",
    "inner_image_to_text_ranks": "iu i",
    "inner_text_to_image_ends": "iu t",
    "inner_image_to_text_ends": "iu p",
    "inner_text_to_image_folds": "iu f 2",
    "inner_image_to_text_folds": "iu f 2",
}
LAYOUTS: dict[str, Layout] = {
    "result": Layout(
        {"probabilities": "f n k"}, {"inner": "f m k"}, {"parameters": "mapping", **SECONDS}
    ),
    "combination": Layout(
        {"probabilities": "f n k"}, facts={"weights": "numbers or nothing", **SECONDS}
    ),
    # q texts and c pictures, each of which are the queries once and the candidates once
    "ranks": Layout(
        {
            **{f"text_to_image_{name}": "iu q" for name in ("ends", "queries")},
            **{f"image_to_text_{name}": "iu c" for name in ("ends", "queries")},
            "text_to_image_candidates": "iu c",
            "image_to_text_candidates": "iu q",
            "text_to_image_ranks": "iu r",
            "image_to_text_ranks": "iu r",
            "text_to_image_nearest": "iu q m",
            "image_to_text_nearest": "iu c l",
        },
        INNER_RANKS,
        {"parameters": "mapping", **SECONDS},
        _ranks,
    ),
    "inner ranks": Layout(INNER_RANKS, bounds=_inner_ranks),
    "inner predictions": Layout({"inner": "f m k"}),
    "features": Layout(
        optional={"values": "fiu n *", "shard": "iu m", "row": "iu m", "mask": "b q t"},
        bounds=_features,
    ),
    "shard": SHARD,
    "pictures": SHARD,
    "texts": Layout({"bytes": "u b", "ends": "iu m"}, bounds=_texts),
    "folds": Layout(FOLDS, bounds=_folds),
    "context": Layout(
        {"labels": "iu n", **FOLDS},
        {"index_*": "iu n", "groups": "iu n", "described_*": "iu c"},
        {"classes": "whole number", "tuning_metric": "text"},
        _context,
    ),
    "near duplicates": Layout({"pairs": "iu p 2"}, bounds=_duplicates),
    "label issues": Layout({"positions": "iu p"}, bounds=_issues),
    "same class": Layout({"values": "f n m"}),
    "probes": Layout({"altered": "f a n k"}, {"pairs": "f s s k"}),
    "checks": Layout(facts={"checks": "mappings"}),
    "report": Layout(
        facts={
            **dict.fromkeys(("files", "entries", "features"), "mapping to texts"),
            "lines": "texts",
            "conclusion": "mapping to lists of texts",
        }
    ),
    "attention": Layout(
        optional={"weights": "f n *", "alpha": "f n *", "probabilities": "f n k"}
    ),
}


def bounds_problem(kind: object, arrays: Arrays, facts: Facts) -> str | None:
    """What is wrong with the values of the arrays of a laid-out entry; None if nothing."""
    layout = LAYOUTS.get(str(kind))
    return None if layout is None or layout.bounds is None else layout.bounds(arrays, facts)
