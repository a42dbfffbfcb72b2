"""The worked examples of CONTRIBUTING, added to a copy of the packages: a grid uses them all."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from tests.support.house import PACKAGES, problems
from tests.support.paths import ROOT
from tests.support.samples import small_samples

GRID = """
name: examples
data: {source: sidecar, path: items}
split: {folds: 2, repeats: 1, inner: 2}
image: [{colour_moments: {gamma: 2.2}}]
text: [bow]
fusion: [majority, image_only, centroids]
classifier: [{extra_trees: {trees: 5}}]
metric: matthews
"""
BLOCK = re.compile(
    r"```\w*\n(?:# |\{# )(?P<path>[\w/]+\.\w+)(?P<more>, at its end)?(?: #\})?\n"
    r"(?P<text>.*?)```",
    re.DOTALL,
)
LINE = re.compile(r'Register `("\w+": [^`]+)` in `(\w+)`\s+of\s+`([\w/]+\.py)`')


def do_what_it_says(text: str, root: Path) -> list[Path]:
    """Write the files and add the registry lines; the Python files."""
    blocks, lines = list(BLOCK.finditer(text)), LINE.findall(text)
    written = [root / block["path"] for block in blocks]
    for path, block in zip(written, blocks, strict=True):
        before = path.read_text() + "\n\n" if block["more"] else ""
        path.write_text(before + block["text"])
    modules = [path for path in written if path.suffix == ".py"]
    assert len(modules) == len(lines) == 6
    for module, (line, registry, path) in zip(modules, lines, strict=True):
        register(root / path, registry, line, module.relative_to(root))
    return modules


def register(path: Path, registry: str, line: str, module: Path) -> None:
    """One line in a registry, with its import."""
    name = re.split(r"\W+", line)[-2 if line.endswith(")") else -1]
    folder, stem = ".".join(module.parent.parts), module.stem
    imported = (
        f"from {folder} import {stem}"
        if name == "SECTION"
        else (f"from {folder}.{stem} import {name}")
    )
    text, count = re.subn(
        rf"^{registry}\b.*= {{$",
        lambda start: f"{imported}\n{start[0]}\n    {line},",
        path.read_text(),
        flags=re.MULTILINE,
    )
    assert count == 1
    path.write_text(text)


def write_items(folder: Path) -> None:
    """Class folders with pictures and their texts, and the grid."""
    samples = small_samples(8)
    for row, (picture, text, label) in enumerate(
        zip(samples.pictures, samples.texts, samples.labels, strict=True)
    ):
        path = folder / "items" / str(label) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            path.write_bytes(picture.read())
            path.with_suffix(".txt").write_text(text or "")
    (folder / "grid.yaml").write_text(GRID)


def test_a_grid_runs_with_every_worked_example(tmp_path: Path):
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = do_what_it_says(text, tmp_path)
    broken = chain.from_iterable(problems(module, tmp_path) for module in modules)
    assert list(broken) == []
    write_items(tmp_path)
    command = [sys.executable, "-m", "pipeline.run", "grid.yaml", "--jobs", "1", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    assert {row["fusion"] for row in scores} == {"majority", "image_only", "centroids"}
    assert max(float(row["matthews"]) for row in scores) > 0.5
    assert "## Class sizes" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("README.md", r"(?:features|models|pipeline|reports|tests|grids)/[\w/]+\.\w+"),
        ("CONTRIBUTING.md", r"(?:features|models|pipeline|reports|tests|grids)/[\w/]+\.\w+"),
        ("models/softmax/README.md", r"\w+\.py"),
    ],
)
def test_every_file_that_a_text_names_is_there(text: str, pattern: str):
    path = ROOT / text
    named = re.findall(f"`({pattern})`", path.read_text("utf-8"))
    assert named
    assert [name for name in named if not (path.parent / name).exists()] == []
