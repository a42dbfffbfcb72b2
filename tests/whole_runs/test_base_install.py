"""Whole runs where nothing is installed but the base: no torch, no gensim, no sentence models."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest

from features.machine.extras import EXTRAS, pip_line
from tests.support.installs import BaseInstall
from tests.support.tables import shop_columns, write_columns, write_pictures

FEW = "split: {folds: 2, repeats: 1, inner: 2}\n"
DATA = "data: {source: table, path: items.csv, image: photo, text: title, label: kind}\n" + FEW
MODULES = sorted(set(chain.from_iterable(EXTRAS.values())))
# Commands one after the other in a process: each would import all anew.
COMMANDS = """
import json, sys
from pipeline.__main__ import main

codes = [main(arguments) for arguments in json.loads(sys.argv[1])]
sys.exit(max(codes))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> BaseInstall:
    return BaseInstall.at(tmp_path_factory.mktemp("base") / "environment")


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder with a table of items, their pictures, and a grid for each run."""
    folder = tmp_path_factory.mktemp("shop")
    write_columns(folder / "items.csv", write_pictures(folder, shop_columns(10)))
    return folder


def _ran(base: BaseInstall, folder: Path, *commands: str, code: int = 0) -> str:
    """What commands say, in both streams."""
    arguments = json.dumps([command.split() for command in commands])
    done = base.run("-c", COMMANDS, arguments, folder=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_has_nothing_that_an_extra_brings(base, tmp_path):
    code = ("from importlib.util import find_spec\n"
            f"print([name for name in {[*MODULES, 'transformers', 'pytest']} if find_spec(name)])")
    assert base.run("-c", code, folder=tmp_path).stdout == "[]\n"


def test_pictures_and_texts_are_compared_and_reported(base, shop):
    (shop / "both.yaml").write_text(
        f"{DATA}image: [handcrafted]\ntext: [tfidf, bow]\n"
        "fusion: [image_only, text_only, concat, {late: {rule: [mean, stacking]}}, cca]\n"
        "classifier: [logistic, {random_forest: {trees: 5}}]\n"
    )
    said = _ran(base, shop, "run both.yaml --jobs 1")
    assert "best cells (balanced accuracy over 2 folds):" in said
    verdict = json.loads((shop / "runs" / "both" / "verdict.json").read_text())
    fused = 2 * (2 + 2 * 2 + 2)  # of each text: concat, late by each rule, and cca, each classifier
    assert len(verdict["cells"]) == fused + 2 * (1 + 2)
    assert "failed" not in said
    assert "not installed" not in said  # whoever lists fusions leaves none out
    for name in ("report.html", "report.md", "grid.lock.yaml", "predictions.parquet"):
        assert (shop / "runs" / "both" / name).stat().st_size


def test_a_table_is_run_without_a_grid_and_says_what_an_install_would_add(base, shop):
    said = _ran(base, shop, "run items.csv --jobs 1 --time-limit 60s")
    [line] = [line for line in said.splitlines() if line.strip().startswith("left out")]
    assert line.split(": ")[0].split() == ["left", "out", "cnn,", "sbert,", "attention"]
    assert line.endswith('which are not installed: pip install "modalgrid[demo]"')
    more = "By default attention would be compared, too: it needs torch, which is not installed: "
    assert f"{more}{pip_line(['torch'])}" in said
    assert "report: runs/items/report.html" in said
    grid = (shop / "runs" / "items" / "grid.yaml").read_text()
    assert "- handcrafted" in grid
    assert "# fusion: [majority, image_only, text_only, concat, " in grid
    report = (shop / "runs" / "items" / "report.md").read_text()
    assert "By default attention would be compared, too: it needs torch" in report


def test_what_a_grid_cannot_run_is_told_by_its_lines(base, shop):
    (shop / "more.yaml").write_text(
        f"{DATA}image: [handcrafted]\ntext:\n  - tfidf\n  - word2vec\n  - sbert\n"
        "fusion: [concat, attention]\n"
    )
    said = _ran(base, shop, "new items.csv -o new.yaml", "run more.yaml", "run new.yaml --plan",
                code=2)
    assert [line for line in said.splitlines() if line.startswith("more.yaml")] == [
        "more.yaml:6: text[1].word2vec: word2vec needs gensim, which is not installed: "
        'pip install "modalgrid[word2vec]"',
        "more.yaml:7: text[2].sbert: sbert needs torch and sentence-transformers, which are not "
        'installed: pip install "modalgrid[sbert]"',
        "more.yaml:8: fusion[1].attention: attention needs torch, which is not installed: "
        'pip install "modalgrid[networks]"',
        'more.yaml:1: all that is missing: pip install "modalgrid[sbert,word2vec]"',
    ]
    assert not (shop / "runs" / "more").exists()
    assert "handcrafted + tfidf / late(product) / logistic" in said  # the plan of the new grid


def test_texts_alone_are_bundled_and_predicted(base, shop):
    (shop / "texts.yaml").write_text(f"{DATA}text: [tfidf, {{bow: {{stem: true}}}}]\n")
    said = _ran(
        base, shop, "run texts.yaml --jobs 1", "bundle runs/texts -o model",
        "predict model items.csv -o predicted.csv", "index model items.csv -o index",
        "serve model", code=2,
    )
    assert "30 items predicted" in said
    assert "30 items indexed" in said
    assert said.endswith(
        "serving needs fastapi, uvicorn and python-multipart, which are not installed: "
        'pip install "modalgrid[serve]"\n'
    )
    assert json.loads((shop / "model" / "bundle.json").read_text())["requires"] == []
