"""Photos found by German sentences, in spaces that were learned from English ones alone.

The photos of grids/flickr_retrieval.yaml: 40 of them are asked for by a German sentence each
(flickr_german.csv: one of a photo's five English sentences, translated by hand); the spaces are
learned from the other 960 photos and their English sentences. The same 40 photos are then asked for
by their English sentences, all five of them. Inner folds are English: what they choose says nothing
of German, so the cells are printed one by one.

    pip install -e ".[use]"
    python -m benchmarks.german [--store FOLDER] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

from benchmarks.retrieval import DATA
from pipeline import run

GERMAN = Path(__file__).with_name("flickr_german.csv")
METRICS = ("hit_at_1", "hit_at_5", "hit_at_10", "median_rank")
GRID = """
name: flickr-{language}
task: retrieval
data:
  source: table
  path: captions.csv
  join: {{path: {pictures}, on: name}}
  image: image
  text: caption
  group: name
  split: part
split: {{official: true}}
image: [cnn]
text: [use, sbert]
fusion: [text_space, cca, kernel_cca]
"""


def main() -> None:
    """Run both languages, and print what they find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".modalgrid"))
    parser.add_argument("--out", type=Path, default=Path("runs") / "flickr-german")
    options = parser.parse_args()
    for language in ("german", "english"):
        out = options.out / language
        with tempfile.TemporaryDirectory() as folder:
            grid = written_grid(Path(folder), language)
            code = run.main([str(grid), "--store", str(options.store), "--out", str(out)])
        if code:
            raise SystemExit(code)
        verdict = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
        print(f"\n| text to picture, {language} | {' | '.join(METRICS)} |")
        for cell in verdict["cells"]:
            scores = cell["scores"]["text_to_image"]
            print(f"| {cell['name']} | {' | '.join(map(_shown, map(scores.get, METRICS)))} |")


def written_grid(folder: Path, language: str) -> Path:
    """The grid and its table, whose test rows are of a language, in a folder: the grid's path."""
    german, english = _rows(GERMAN), _rows(DATA / "flickr1000_captions.csv")
    names = {row["name"] for row in german}
    asked = german if language == "german" else [row for row in english if row["name"] in names]
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["name", "caption", "part"])
        writer.writeheader()
        writer.writerows(
            {**row, "part": "train"} for row in english if row["name"] not in names
        )
        writer.writerows({**row, "part": "test"} for row in asked)
    grid = folder / "grid.yaml"
    pictures = DATA / "flickr1000_pictures.parquet"
    grid.write_text(GRID.format(language=language, pictures=pictures), encoding="utf-8")
    return grid


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _shown(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


if __name__ == "__main__":
    main()
