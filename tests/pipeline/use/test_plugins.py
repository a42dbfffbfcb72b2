"""What a bundle may hold of plugins: their parts, and the classes that these list."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from pipeline.config.plugins.active import activate
from pipeline.use.state import State, put_together, taken_apart

CODE = '''
from dataclasses import dataclass
from features.encoder import Encoder

class Helper:
    """Holds a number."""
    def __init__(self, number): self.number = number

@dataclass(kw_only=True, eq=False, repr=False)
class Held(Encoder):
    """Holds a helper."""
    modality = "text"
    version = 1
    def transform(self, samples): ...

ENCODERS = {"held": Held}
'''


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    activate((), tmp_path)
    sys.modules.pop("held_parts", None)


def taken(folder, code: str = CODE) -> ModuleType:
    (folder / "held_parts.py").write_text(code)
    assert activate(["held_parts"], folder) == {}
    return sys.modules["held_parts"]


def test_a_part_is_held_and_made_again(folder):
    module = taken(folder)
    encoder = module.Held()
    encoder.means_ = np.arange(3.0)
    state = taken_apart(encoder)
    again = put_together(state)
    assert type(again) is module.Held
    np.testing.assert_array_equal(again.means_, encoder.means_)


def test_further_classes_are_held_where_the_plugin_lists_them(folder):
    module = taken(folder)
    encoder = module.Held()
    encoder.helper_ = module.Helper(3)
    with pytest.raises(TypeError, match="held_parts:Helper, which no bundle may hold, unless its"):
        taken_apart(encoder)
    module = taken(folder, CODE + "BUNDLED = [Helper]\n")
    encoder = module.Held()
    encoder.helper_ = module.Helper(3)
    assert put_together(taken_apart(encoder)).helper_.number == 3


def test_what_takes_no_part_is_never_made_nor_imported(folder, monkeypatch):
    state = taken_apart(taken(folder).Held())
    activate((), folder)
    del sys.modules["held_parts"]
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ValueError, match="held_parts:Held, which no bundle of ours has"):
        put_together(state)
    assert "held_parts" not in sys.modules


@pytest.mark.parametrize("name", ["held_parts:Helper", "held_parts:dataclass", "os:system"])
def test_other_names_of_a_plugins_module_lead_nowhere(folder, name):
    taken(folder)
    with pytest.raises(ValueError, match="which no bundle of ours has"):
        put_together(State({"object": [name, {}]}))


def test_a_network_of_a_plugin_is_made_from_its_arguments(folder):
    import torch

    code = CODE + (
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.arguments = {'width': width}\n"
        "        self.layer = nn.Linear(width, 2)\n"
        "BUNDLED = [Net]\n"
    )
    network = taken(folder, code).Net(3)
    again = put_together(taken_apart(network))
    assert torch.equal(again.layer.weight, network.layer.weight)
