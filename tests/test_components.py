"""Keys of the grid are checked against constructors; lists mean "compare these"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.components import Component, nearest, variants


class Encoder:
    def __init__(
        self, ngrams: tuple[int, int] = (1, 1), size: Annotated[int, Field(gt=0)] = 100,
        similarity: Literal["dot", "cosine"] = "dot", file: Path | None = None, C: float = 1.0,
        output: Literal["mean", "tokens"] = "mean", random_state: int = 0,
    ) -> None:
        pass


class Needy:
    def __init__(self, path: str, label: str = "class") -> None:
        pass


def expand(given, cls=Encoder, tuned=None):
    return variants("encoder", cls, given, ("text", 0), tuned or {})


def rules(given, cls=Encoder):
    components, problems = expand(given, cls)
    assert components == []
    return [problem.rule for problem in problems]


def test_a_list_where_one_value_belongs_means_compare_these():
    components, problems = expand({"size": [50, 100], "similarity": ["dot", "cosine"]})
    assert problems == []
    assert [dict(one.parameters) for one in components] == [
        {"size": 50, "similarity": "dot"}, {"size": 50, "similarity": "cosine"},
        {"size": 100, "similarity": "dot"}, {"size": 100, "similarity": "cosine"}]


def test_a_list_where_a_list_belongs_is_one_value_and_a_list_of_lists_compares():
    assert [one.parameters["ngrams"] for one in expand({"ngrams": [1, 2]})[0]] == [(1, 2)]
    assert [one.parameters["ngrams"] for one in expand({"ngrams": [[1, 1], [1, 2]]})[0]] == [(1, 1), (1, 2)]


def test_a_list_of_a_tuned_parameter_is_what_the_inner_folds_choose_from():
    (component,), _ = expand({"C": [0.1, 1]}, tuned={"C": (1.0, 10.0)})
    assert component.parameters == {}
    assert component.candidates == {"C": (0.1, 1.0)}


def test_a_tuned_parameter_that_is_not_given_has_its_default_candidates():
    (component,), _ = expand({}, tuned={"C": (1.0, 10.0)})
    assert component.candidates == {"C": (1.0, 10.0)}


def test_an_unknown_key_is_named_with_the_nearest_one():
    (rule,) = rules({"ngram": [1, 2]})
    assert "unknown key 'ngram'" in rule
    assert "did you mean 'ngrams'?" in rule


def test_every_mistake_is_found_at_once():
    found = rules({"sise": 3, "size": -1, "similarity": "cosin", "ngrams": "x"})
    assert len(found) == 4
    assert any("greater than 0, not -1" in rule for rule in found)
    assert any("did you mean 'cosine'?" in rule for rule in found)


def test_a_bad_item_of_a_list_is_named_by_its_position():
    _, (problem,) = expand({"size": [50, 0]})
    assert problem.path == ("text", 0, "size", 1)


def test_what_the_pipeline_sets_is_no_key():
    for key in ("output", "random_state", "self"):
        assert "unknown key" in rules({key: "tokens"})[0]


def test_a_key_without_default_is_asked_for():
    assert rules({}, Needy) == ["encoder needs the key 'path'"]


def test_a_value_listed_twice_is_a_mistake():
    assert "listed twice" in rules({"size": [50, 50]})[0]


def test_labels_are_short_and_tell_variants_apart():
    labels = [one.label for one in expand({"similarity": ["dot", "cosine"], "ngrams": [1, 2]})[0]]
    assert labels == ["encoder(dot, ngrams=1-2)", "encoder(cosine, ngrams=1-2)"]
    assert Component("bow").label == "bow"


def test_nearest_names_what_is_close_and_all_that_is_known():
    assert nearest("tfdif", ["bow", "tfidf"]) == "did you mean 'tfidf'? (known: bow, tfidf)"
    assert nearest("zzz", ["bow", "tfidf"]) == "(known: bow, tfidf)"
