"""Names of networks, as the libraries' sources tell them, are those that the libraries tell."""

from __future__ import annotations

import subprocess
import sys

import pytest
import timm
from torchvision import models

from features.networks.catalogue import listed, model_names
from features.networks.names import cannot_be, written_names
from tests.support.paths import ROOT


def test_the_sources_tell_every_network() -> None:
    assert set(written_names("torchvision")[0]) == set(models.list_models(module=models))
    assert set(written_names("timm")[0]) == set(timm.list_models())
    assert {"efficientnet_lite0", "resnet18", "timm/resnet18"} <= set(model_names())


def test_a_library_that_is_not_there_can_be_asked_for_anything() -> None:
    assert written_names("no_such_library") == ((), frozenset())
    assert not cannot_be("no_such_library", "resnet18")


@pytest.mark.parametrize(("name", "near"), [
    ("resnet81", "resnet18"), ("timm/resnet81", "timm/resnet18"),
    ("timm/resnet81.a1_in1k", "timm/resnet18"),
])
def test_a_typo_is_told_without_an_import(name: str, near: str) -> None:
    code = (
        "import sys\nfrom features.networks.catalogue import listed\n"
        f"try: listed({name!r})\nexcept ValueError as error: print(error)\n"
        "print([name for name in ('torch', 'torchvision', 'timm') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"not '{name.partition('.')[0]}'; nearest: " in run.stdout
    assert near in run.stdout
    assert run.stdout.endswith("[]\n")


def test_a_function_that_is_no_network_is_refused_by_the_library() -> None:
    with pytest.raises(ValueError, match="not 'conv1x1'"):
        listed("conv1x1")
