"""What keys say of the code that makes a report: all of it, and of nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.plan import versions
from pipeline.plan.versions import code_versions
from tests.support.house import PACKAGES


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Two small packages in place of ours; the digest of them is taken anew each time."""
    for package in versions.OURS:
        (tmp_path / package / "templates").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / "reports" / "templates" / "page.html").write_text("<p>{{ answer }}</p>")
    monkeypatch.setattr(versions, "find_spec", lambda name: SimpleNamespace(
        submodule_search_locations=[str(tmp_path / name)]
    ))
    monkeypatch.setattr(versions, "_our_code", versions._our_code.__wrapped__)
    return tmp_path


def _changed(change) -> bool:
    before = code_versions()["code"]
    change()
    return code_versions()["code"] != before


def test_any_file_of_ours_is_in_the_key(code):
    page = code / "reports" / "templates" / "page.html"
    assert _changed(lambda: page.write_text("<b>{{ answer }}</b>"))
    assert _changed(lambda: page.rename(page.with_name("sheet.html")))
    assert _changed(lambda: (code / "models" / "new.py").write_text("x = 1"))
    assert _changed((code / "models" / "new.py").unlink)
    assert not _changed(lambda: (code / "README.md").write_text("beside our packages"))


def test_where_it_lies_and_what_python_compiled_is_not(code, tmp_path_factory, monkeypatch):
    def compiled() -> None:
        folder = code / "models" / "__pycache__"
        folder.mkdir()
        (folder / "new.cpython-311.pyc").write_bytes(b"compiled")

    assert not _changed(compiled)
    before = code_versions()["code"]
    moved = tmp_path_factory.mktemp("elsewhere") / "code"
    code.rename(moved)
    monkeypatch.setattr(versions, "find_spec", lambda name: SimpleNamespace(
        submodule_search_locations=[str(moved / name)]
    ))
    assert code_versions()["code"] == before


def test_any_distribution_that_comes_or_changes_is_in_the_key(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "missing")])
    keys = [code_versions()["installed"]]
    for name in ("some_library-1.0.dist-info", "some_library-1.1.dist-info", "old-1.egg-info"):
        for path in tmp_path.iterdir():
            path.rmdir()
        (tmp_path / name).mkdir()
        keys.append(code_versions()["installed"])
    (tmp_path / "a folder").mkdir()
    (tmp_path / "modalgrid.egg-info").mkdir()  # of a checkout, on the path or not
    assert code_versions()["installed"] == keys[-1]
    assert len(set(keys)) == len(keys)


def test_our_packages_are_those_that_are_installed():
    assert set(versions.OURS) == {Path(package).name for package in PACKAGES}
