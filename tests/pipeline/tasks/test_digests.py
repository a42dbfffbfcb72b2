"""What keys say of the packages that compute: torch's version, only where it does."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from models import CLASSIFIERS, FUSIONS
from models.course import TrainsNetwork
from models.fusion import TakesClassifier
from pipeline.tasks.digests import VERSIONS, further_versions

TORCH = {"torch": version("torch")}


def _built(name, **parameters):
    cls = FUSIONS[name]
    if issubclass(cls, TakesClassifier):
        parameters.setdefault("classifier", CLASSIFIERS["logistic"]())
    return cls(**parameters)


@pytest.mark.parametrize("name", sorted(FUSIONS.keys() - {"zero_shot"}))
def test_torch_is_named_for_those_that_train_a_network(name):
    trains = issubclass(FUSIONS[name], TrainsNetwork)
    assert further_versions(_built(name)) == (TORCH if trains else {})
    assert "torch" not in VERSIONS


def test_a_space_or_a_device_may_need_it():
    assert further_versions(_built("zero_shot", space="cca")) == {}
    assert further_versions(_built("zero_shot", space="contrastive")) == TORCH
    on_gpu = CLASSIFIERS["logistic"](device="cuda")
    assert further_versions(_built("concat", classifier=on_gpu)) == TORCH
