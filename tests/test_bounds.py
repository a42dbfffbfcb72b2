"""What setup.cfg asks for: requirements with their reasons, new enough to load files safely."""

from __future__ import annotations

import configparser
from itertools import pairwise

import pytest

from tests.support.paths import ROOT

# The first versions in which loading a file cannot run code, as far as is known.
SAFE = {
    "torch": (2, 10), "torchvision": (0, 25), "sentence-transformers": (6, 0), "skops": (0, 12),
}


def requirements() -> dict[str, tuple[int, ...]]:
    """Lower bounds by name, of the base and the extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = " ".join(config["options.extras_require"].values())
    lines = f'{config["options"]["install_requires"]} {extras}'.split()
    named = (line.partition(">=") for line in lines if ">=" in line)
    return {name: tuple(map(int, version.split("."))) for name, _, version in named}


@pytest.mark.parametrize("name", SAFE)
def test_what_loads_files_is_new_enough(name: str) -> None:
    assert requirements()[name] >= SAFE[name]


def test_every_requirement_says_what_it_is_for() -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    section = text.partition("install_requires =")[2].partition("[options.packages.find]")[0]
    lines = [line.strip() for line in section.splitlines() if line.strip()]
    bare = [line for before, line in pairwise(lines) if ">=" in line and not before.startswith("#")]
    assert bare == []
