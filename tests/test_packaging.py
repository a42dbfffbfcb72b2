"""What is built of the tree holds all that it needs, and its versions agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import HeaderParser
from itertools import chain
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.house import PACKAGES
from tests.support.paths import ROOT

# In the packages' folders, but for readers of the source alone.
FOR_READERS = {"models/softmax/README.md", "reports/example.png"}
# A file that no rule of setup.cfg takes into a wheel.
FORGOTTEN = "reports/charts/forgotten.html"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")
BUILD = "import sys; from setuptools import build_meta as b; b.build_{}(sys.argv[1])"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, with a file in it that was forgotten in setup.cfg."""
    folder = tmp_path_factory.mktemp("tree")
    for path in ROOT.iterdir():
        if path.is_dir() and path.name in {*PACKAGES, "benchmarks", "docs", "grids", "tests"}:
            shutil.copytree(path, folder / path.name, ignore=LEFT_OUT)
        elif path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder)
    (folder / FORGOTTEN).write_text("<p>")
    return folder


def built(kind: str, tree: Path) -> Path:
    """What setuptools builds of a tree, with the setuptools that is here."""
    out = tree.parent / kind
    out.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", BUILD.format(kind), str(out)], cwd=tree, check=True,
                   capture_output=True)
    (path,) = out.iterdir()
    return path


def files_of(tree: Path, *folders: str) -> set[str]:
    """All files below some folders of the tree."""
    paths = chain.from_iterable((tree / folder).rglob("*") for folder in folders)
    return {path.relative_to(tree).as_posix() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tree: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built("wheel", tree))


def metadata(name: str) -> str:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup["metadata"][name]


def test_a_wheel_holds_every_file_of_the_packages(tree: Path, wheel: zipfile.ZipFile):
    """All but FORGOTTEN: that this is missed shows that a forgotten template would be."""
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert files_of(tree, *PACKAGES) - FOR_READERS - inside == {FORGOTTEN}
    assert inside <= files_of(tree, *PACKAGES)


def test_a_wheel_says_what_it_is(wheel: zipfile.ZipFile):
    info = f"modalgrid-{metadata('version')}.dist-info"
    said = HeaderParser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert (said["Name"], said["Version"]) == ("modalgrid", metadata("version"))
    assert said["Requires-Python"] == ">=3.11"
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    scripts = wheel.read(f"{info}/entry_points.txt").decode()
    assert "modalgrid = pipeline.__main__:main" in scripts


def test_a_source_distribution_holds_tests_pages_and_examples(tree: Path):
    with tarfile.open(built("sdist", tree)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = files_of(tree, *PACKAGES, "benchmarks", "docs", "grids", "tests")
    expected |= {path.name for path in tree.iterdir() if path.is_file()}
    assert expected - names == {FORGOTTEN}


def test_versions_agree():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## (\d\S*)(?: \((.+)\))?$", changes, re.MULTILINE)
    assert latest is not None
    cited = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert latest[1] == metadata("version") == cited["version"]
    assert latest[2] in (cited["date-released"], "unreleased")


def test_the_citation_says_what_its_format_asks_for():
    cited = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["authors"] == [{"name": metadata("author")}]
    assert cited["license"] == metadata("license")


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")),
                         ids=lambda path: path.stem)
def test_issue_forms_are_forms(path: Path):
    form = YAML(typ="safe").load(path)
    assert {"name", "description", "body"} <= form.keys()
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in asked} <= {"textarea", "input", "checkboxes", "dropdown"}
    assert all(part["attributes"]["label"] for part in asked)
    assert len({part["id"] for part in asked}) == len(asked) > 0
