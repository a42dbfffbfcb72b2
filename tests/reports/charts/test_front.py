"""The front of accuracy and cost: names that stay apart however near their dots are."""

from __future__ import annotations

import itertools

import pytest

from reports.charts.encoding import HEIGHT, KINDS, SHAPES
from reports.charts.front import LINE, NAMED, Dot, front


def dots(ys):
    """Cells on the front, each dearer and better than the one before."""
    return [
        Dot(len(ys) - number, f"cell {number}", KINDS[number % 3], 2.0**number, y, True)
        for number, y in enumerate(ys)
    ]


def heights(spec):
    """Pixels from the top of the plot to each name."""
    (low, high) = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    names = [*spec["layer"][2]["data"]["values"], *spec["layer"][3]["data"]["values"]]
    return [(high - value["beside"]) / (high - low) * HEIGHT for value in names]


@pytest.mark.parametrize("ys", [
    (0.7, 0.8),
    (0.70, 0.7001, 0.7002, 0.7003),
    tuple(0.5 + 1e-6 * number for number in range(15)),
    tuple(0.1 * number for number in range(10)),
    (0.5,),
    tuple(float(number) for number in range(NAMED + 10)),
], ids=["far", "near", "many near", "many far", "single", "too many"])
def test_every_name_has_a_line_of_its_own_within_the_plot(ys):
    tops = sorted(heights(front(dots(ys), "seconds", "accuracy")))
    assert len(tops) == min(len(ys), NAMED)
    assert all(below - above >= LINE - 1e-6 for above, below in itertools.pairwise(tops))
    assert tops[0] >= 0
    assert tops[-1] <= HEIGHT


def test_marks_have_shapes_and_tooltips_name_the_metric():
    spec = front(dots((0.7, 0.8)), "seconds", "balanced accuracy")
    encoding = spec["layer"][1]["encoding"]
    assert encoding["shape"]["scale"] == {"domain": KINDS, "range": SHAPES}
    assert len(set(SHAPES)) == len(KINDS)
    titles = {tip["field"]: tip["title"] for tip in encoding["tooltip"]}
    assert titles["shown"] == "balanced accuracy"
