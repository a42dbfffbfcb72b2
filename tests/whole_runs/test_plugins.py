"""The plugin of docs/extending.md, as it stands there, in a whole run, a bundle and predictions."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.plugins.active import activate
from pipeline.use.bundle import Bundle
from pipeline.use.problem import BundleError
from tests.support.extending import ENTRIES, code, grid, install, write_items, write_own
from tests.support.paths import ROOT
from tests.support.tiny import (
    TEXT_GRID,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_table,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with two worker processes, and its bundle; no process of these is this one."""
    folder = tmp_path_factory.mktemp("own")
    write_own(folder)
    asked(folder, "run", "grid.yaml", "--jobs", "2", "--out", "out")
    asked(folder, "bundle", "out", "-o", "model", "--jobs", "1")
    return folder


def asked(folder: Path, command: str, *options: str, code: int = 0, **environment: str) -> str:
    """What a command says, called in a folder that is not the working folder's parent."""
    done = subprocess.run(
        [sys.executable, "-m", f"pipeline.{command}", *options],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def computed(plan: str) -> int:
    """How many pieces of work a plan would compute."""
    return sum(int(number.replace(",", "")) for number in re.findall(r"([\d,]+) to compute", plan))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_part_takes_part_in_the_run(folder):
    rows = rows_of(folder / "out" / "scores.csv")
    assert {row["fusion"] for row in rows} == {"majority", "image_only", "concat", "nearest_mean"}
    assert {row["image"] for row in rows} == {"", "brightness(bins=8)"}
    assert {row["classifier"] for row in rows} == {"", "logistic", "extra_trees"}
    assert max(float(row["matthews"]) for row in rows) > 0.5
    report = (folder / "out" / "report.md").read_text(encoding="utf-8")
    assert "## Class sizes\n\n- car: 8\n- cat: 8\n- dog: 8" in report
    assert "plugin my_parts" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_the_lock_runs_where_it_lies_and_finds_everything_stored(folder):
    said = asked(folder, "run", "out/grid.lock.yaml", "--plan")
    assert not computed(said)
    assert "plugins:\n- my_parts" in said
    # a change of the code, in a comment even, is other code
    (folder / "my_parts.py").write_text(code() + "\n# seen\n")
    said = asked(folder, "run", "grid.yaml", "--plan")
    (folder / "my_parts.py").write_text(code())
    assert computed(said)


def test_a_bundle_predicts_where_its_plugin_is_named_and_is_refused_elsewhere(folder, tmp_path):
    asked(folder, "predict", "model", "items", "-o", "p.csv", "--plugin", "my_parts")
    assert len(rows_of(folder / "p.csv")) == 24
    said = asked(folder, "predict", "model", "items", "-o", "q.csv", code=2)
    assert "has parts of the plugin my_parts, which is not here: install it" in said
    assert not (folder / "q.csv").exists()
    (tmp_path / "my_parts.py").write_text("1 / 0")
    said = asked(
        tmp_path, "predict", str(folder / "model"), "x", "-o", "r.csv", "--plugin", "my_parts",
        code=2,
    )  # fmt: skip
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said


def test_nothing_that_a_bundle_names_is_imported(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)  # it could be imported
    with pytest.raises(BundleError, match="nothing is imported because a bundle names it"):
        Bundle.load(folder / "model")
    assert "my_parts" not in sys.modules
    try:
        bundle = Bundle.load(folder / "model", plugins=["my_parts"])
        assert sys.modules["my_parts"].__file__ == str(folder / "my_parts.py")
        named = json.loads((folder / "model" / "bundle.json").read_text())["plugins"]
        assert [about["name"] for about in named] == ["my_parts"]
        assert bundle.predict(
            [str(folder / "items" / "cat" / "0.png")], ["whiskers purr"]
        ) == ["cat"]
    finally:
        activate((), folder)
        sys.modules.pop("my_parts", None)


@pytest.fixture
def forgotten(tmp_path):
    yield
    activate((), tmp_path)
    sys.modules.pop("odd_parts", None)


def test_a_metric_that_fails_is_named_once_and_costs_no_run(
    tmp_path, monkeypatch, caplog, forgotten
):
    write_table(tmp_path)
    write_grid(tmp_path, TEXT_GRID.replace("bow, tfidf", "bow") + "plugins: [odd_parts]\n")
    (tmp_path / "odd_parts.py").write_text(
        "from pipeline.metrics.metric import Metric\n"
        "METRICS = {'odd': Metric(lambda labels, p: 1 / 0)}\n"
    )
    without_report(monkeypatch)
    assert run_grid(tmp_path) == 0
    rows = scores(tmp_path)
    assert {row["odd"] for row in rows} == {""}
    assert all(row["accuracy"] for row in rows)
    assert [record.getMessage() for record in caplog.records if "odd" in record.getMessage()] == [
        "warning: metric 'odd' of odd_parts fails: ZeroDivisionError: division by zero; its "
        "scores are left empty"
    ]


def test_an_installed_package_takes_part_untold(folder, tmp_path):
    site = tmp_path / "site"
    install(site, "own-parts", "1.2", ENTRIES)
    (site / "my_parts.py").write_text(code())
    write_items(tmp_path)
    (tmp_path / "grid.yaml").write_text(grid().replace("plugins: [my_parts]\n", ""))
    path = os.pathsep.join([str(site), str(ROOT)])
    said = asked(
        tmp_path, "run", "grid.yaml", "--jobs", "2", "--engine", "dask", "--out", "out",
        PYTHONPATH=path,
    )  # fmt: skip
    assert "failed" not in said
    assert "warning: worker" not in said
    lock = (tmp_path / "out" / "grid.lock.yaml").read_text()
    assert "# plugin own-parts: 1.2, code " in lock
    rows = [
        {name: value for name, value in row.items() if not name.endswith("_seconds")}
        for row in rows_of(tmp_path / "out" / "scores.csv")
    ]
    assert rows == [
        {name: value for name, value in row.items() if not name.endswith("_seconds")}
        for row in rows_of(folder / "out" / "scores.csv")
    ]
    # the bundle of the module is not one of the package: neither stands for the other unasked
    said = asked(
        tmp_path, "predict", str(folder / "model"), "items", "-o", "p.csv", code=2, PYTHONPATH=path
    )
    assert "has parts of the plugin my_parts" in said
