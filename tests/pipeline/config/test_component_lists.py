"""A grid that names no fusions compares the recommended ones, as its lock says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.component_lists import default_fusions
from pipeline.config.grid import GridError
from pipeline.config.parse import parse_grid, read_grid
from pipeline.results.lock import lock_text
from tests.support.paths import ROOT

DATA = {"data": "openmoji"}


def _labels(content) -> list[str]:
    return [fusion.label for fusion in parse_grid({**DATA, **content}, Path("grid.yaml")).fusion]


def test_both_modalities_are_compared_as_the_default_grid_does():
    recommended = [fusion.label for fusion in read_grid(ROOT / "grid.yaml").fusion]
    assert _labels({"image": ["cnn"], "text": ["tfidf"]}) == recommended


def test_a_single_modality_is_compared_with_chance():
    assert _labels({"image": ["cnn"]}) == ["majority", "image_only"]
    assert _labels({"text": "tfidf"}) == ["majority", "text_only"]


@pytest.mark.parametrize("more", [{"task": "retrieval"}, {"split": {"unseen_classes": True}}])
def test_other_tasks_have_fusions_that_can_do_them(more):
    """A grid of the default set is checked by the rules of its task."""
    content = {"image": ["cnn"], "text": ["sbert"], **more}
    assert _labels(content) == [
        fusion.label
        for fusion in parse_grid(
            {**DATA, **content, "fusion": default_fusions(content).entries}, Path("grid.yaml")
        ).fusion
    ]
    assert len(_labels(content)) > 2


def test_the_lock_names_what_is_compared():
    grid = parse_grid({**DATA, "image": ["cnn"], "text": ["tfidf"]}, Path("grid.yaml"))
    lock = lock_text(grid, {}, "")
    assert all(f"- {fusion.name}" in lock for fusion in grid.fusion)
    assert "- logistic" in lock


@pytest.mark.parametrize("content", [{}, {"image": ["cnn"], "fusion": []},
                                     {"image": ["cnn"], "fusion": None}])
def test_nothing_to_compare_is_an_error(content):
    with pytest.raises(GridError, match="the grid needs one fusion at least"):
        _labels(content)
