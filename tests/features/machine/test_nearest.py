"""The nearest name, however it is written."""

from __future__ import annotations

import pytest

from features.machine.nearest import did_you_mean, nearest_few


@pytest.mark.parametrize("name", ["seed", "SEED", "sed", "\uff53\uff45\uff45\uff44"])
def test_case_and_width_of_letters_do_not_count(name):
    assert did_you_mean(name, ["name", "seed"]) == "did you mean 'seed'?"
    assert nearest_few(name, ["name", "seed"]) == "; nearest: seed"


def test_names_are_shown_as_they_are():
    assert did_you_mean("TFIDF", ["tfIdf", "bow"]) == "did you mean 'tfIdf'?"
    assert did_you_mean("zzz", ["tfIdf", "bow"]) == ""
