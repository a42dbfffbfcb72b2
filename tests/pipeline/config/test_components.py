"""Keys of the grid are checked against constructors; lists mean "compare these"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field

from features.machine.nearest import nearest
from models.classifiers.logistic import Logistic
from models.classifiers.neighbours import NearestNeighbours
from models.early.concat import Concat
from pipeline.config.components import Component, beyond, filled_in, variants


class Encoder:
    def __init__(
        self, ngrams: tuple[int, int] = (1, 1), size: Annotated[int, Field(gt=0)] = 100,
        similarity: Literal["dot", "cosine"] = "dot", file: Path | None = None, C: float = 1.0,
        output: Literal["mean", "tokens"] = "mean", random_state: int = 0,
    ) -> None:
        pass


def ascending(pair: tuple[int, int]) -> tuple[int, int]:
    if pair[0] > pair[1]:
        raise ValueError(f"first comes the smaller, not {pair}")
    return pair


class Ordered:
    def __init__(self, odd: Annotated[tuple[int, int], AfterValidator(ascending)] = (1, 1)) -> None:
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
    assert [dict(component.parameters) for component in components] == [
        {"size": 50}, {"size": 50, "similarity": "cosine"}, {}, {"similarity": "cosine"}]


def test_a_list_where_a_list_belongs_is_one_value_and_a_list_of_lists_compares():
    (component,), _ = expand({"ngrams": [1, 2]})
    assert component.parameters["ngrams"] == (1, 2)
    components, _ = expand({"ngrams": [[1, 2], [1, 3]]})
    assert [component.parameters["ngrams"] for component in components] == [(1, 2), (1, 3)]


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
    broken = rules({"sise": 3, "size": -1, "similarity": "cosin", "ngrams": "x"})
    assert len(broken) == 4
    assert any("greater than 0, not -1" in rule for rule in broken)
    assert any("did you mean 'cosine'?" in rule for rule in broken)


def test_a_bad_item_of_a_list_is_named_by_its_position():
    _, (problem,) = expand({"size": [50, 0]})
    assert problem.path == ("text", 0, "size", 1)


def test_what_the_pipeline_sets_is_no_key():
    for key in ("output", "random_state", "self"):
        assert "unknown key" in rules({key: "tokens"})[0]


def test_an_own_rule_of_a_component_is_reported_as_it_is_written():
    assert rules({"odd": [2, 1]}, Ordered) == ["odd: first comes the smaller, not (2, 1)"]
    assert rules({"odd": [[1, 2], [2, 1]]}, Ordered) == ["odd: first comes the smaller, not (2, 1)"]


def test_a_default_that_is_spelled_out_makes_no_other_component():
    assert expand({"size": 100})[0] == expand({})[0]


def test_a_component_is_filled_in_with_defaults_and_candidates():
    (component,), _ = expand({"size": 50}, tuned={"C": (1.0, 10.0)})
    filled = filled_in(component, Encoder)
    assert (filled["size"], filled["ngrams"], filled["C"]) == (50, (1, 1), (1.0, 10.0))
    assert "random_state" not in filled


def test_a_key_without_default_is_asked_for():
    assert rules({}, Needy) == ["encoder needs the key 'path'"]


def test_a_value_listed_twice_is_a_mistake():
    assert "listed twice" in rules({"size": [50, 50]})[0]


def test_labels_are_short_and_tell_variants_apart():
    components, _ = expand({"similarity": ["dot", "cosine"], "ngrams": [1, 2]})
    labels = [component.label for component in components]
    assert labels == ["encoder(ngrams=1-2)", "encoder(ngrams=1-2, cosine)"]
    assert Component("bow").label == "bow"


def test_nearest_names_what_is_close_and_all_that_is_known():
    assert nearest("tfdif", ["bow", "tfidf"]) == "did you mean 'tfidf'? (known: bow, tfidf)"
    assert nearest("zzz", ["bow", "tfidf"]) == "known: bow, tfidf"


@pytest.mark.parametrize(
    ("cls", "key", "values", "end", "expected"),
    [
        (Logistic, "C", (3.0, 10.0, 30.0), 30.0, 90.0),
        (Logistic, "C", (3.0, 10.0, 30.0), 3.0, 0.9),
        (Logistic, "C", (3.0, 10.0, 30.0), 10.0, None),  # not at an end
        (Logistic, "C", (3.0,), 3.0, None),
        (Concat, "weight", (0.25, 0.5, 0.75), 0.75, 0.875),  # 1.125 is no share
        (Concat, "weight", (0.25, 0.5, 0.75), 0.25, 0.125),
        (NearestNeighbours, "neighbours", (5, 15, 45), 45, 135),
        (NearestNeighbours, "neighbours", (1, 2), 1, None),  # half a neighbour is none
        (Logistic, "class_weight", ("none", "balanced"), "none", None),
    ],
)
def test_what_lies_beyond_the_end_of_candidates(cls, key, values, end, expected):
    value = beyond(cls, key, values, end)
    assert value == (None if expected is None else pytest.approx(expected))
    assert type(value) is type(expected)


def test_only_what_the_grid_does_not_give_may_be_widened():
    (default,), _ = variants("logistic", Logistic, {}, (), Logistic.tuned)
    (given,), _ = variants("logistic", Logistic, {"C": [1, 10]}, (), Logistic.tuned)
    assert (default.by_default, given.by_default) == (frozenset({"C"}), frozenset())
