"""The base install is free of copyleft, and docs/licences.md names what is installed."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from itertools import chain
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.installs import base, extras, installed_with, listed
from tests.support.licences import (
    COPYLEFT,
    FILE,
    UNSTATED,
    WEAK,
    copyleft,
    installed_base,
    licence,
    names_in,
)

WEAK_IN_BASE = {"tqdm"}  # docs/licences.md says what the MPL asks


def test_nothing_of_the_base_is_copyleft():
    assert copyleft(installed_base()) == []


def test_what_is_weak_in_the_base_is_said():
    weak = {name for name, known in installed_base().items() if WEAK.search(licence(known))}
    assert weak == WEAK_IN_BASE
    text = FILE.read_text(encoding="utf-8").partition("## Packages")[0]
    assert all(f"**{name}**" in text for name in weak)


def test_the_base_is_looked_at_whole():
    """What the packages of setup.cfg bring with them is looked at, too."""
    names = {canonicalize_name(stated.requirement.name) for stated in base()}
    assert names < set(installed_base())
    assert {"pandas", "pywavelets", "threadpoolctl", "pydantic-core"} <= set(installed_base())
    assert "torch" not in installed_base()


def test_the_tables_name_what_setup_cfg_and_the_base_install():
    requirements = [entry.requirement for entry in chain.from_iterable(listed().values())]
    stated = {canonicalize_name(requirement.name) for requirement in requirements}
    tables = FILE.read_text(encoding="utf-8")
    lacking = (stated | set(installed_base())) - names_in(tables)
    assert not lacking, f"{lacking}: write the tables anew, python -m tests.support.licences"
    named = names_in(tables.partition("### What these bring with them")[0])
    assert named == stated


def test_every_package_has_its_reason():
    entries = chain.from_iterable(listed().values())
    assert [str(entry.requirement) for entry in entries if not entry.purpose] == []


def test_copyleft_is_told_from_names_and_texts(tmp_path):
    gensim = next(stated.requirement for stated in extras()["word2vec"])
    assert copyleft(installed_with([gensim]))[0].startswith("gensim: LGPL")
    for says, is_copyleft in (
        ("GPL-3.0-or-later", True), ("AGPL-3.0-only", True), ("LGPLv2+", True),
        ("GNU General Public License v3 (GPLv3)", True), ("MIT", False), ("MPL-2.0", False),
        ("Apache-2.0", False),
    ):
        assert bool(COPYLEFT.search(says)) is is_copyleft, says


@pytest.mark.parametrize(("metadata", "text", "expected"), [
    ("License-Expression: MIT", None, "MIT"),
    ("License: Apache 2.0", None, "Apache-2.0"),
    ("Classifier: License :: OSI Approved :: BSD License", None, "BSD"),
    ("License: UNKNOWN", "MIT License\n\nCopyright", "MIT"),
    ("Classifier: License :: OSI Approved", "Permission is hereby granted, free of charge,", "MIT"),
    ("License: UNKNOWN", None, UNSTATED),
    ("License: UNKNOWN", "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3", "AGPL"),
])
def test_what_a_package_says_of_its_licence(metadata, text, expected, tmp_path: Path):
    folder = tmp_path / "made_up-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: made-up\n{metadata}\n")
    files = ["METADATA"]
    if text is not None:
        (folder / "LICENSE").write_text(text)
        files.append("LICENSE")
    (folder / "RECORD").write_text("".join(f"{folder.name}/{name},,\n" for name in files))
    known = PathDistribution(folder)
    assert licence(known) == expected
    assert bool(copyleft({"made-up": known})) == (expected in (UNSTATED, "AGPL"))
