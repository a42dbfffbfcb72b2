"""Spaces of grids/flickr_retrieval.yaml on the split that ../shared/data/README.md names.

The first 100 names in order are the test part, the other 900 the training part, so that figures can
be held against those given there.

    python -m benchmarks.retrieval [--store FOLDER] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

from pipeline import run

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
TEST = 100  # names
METRICS = ("hit_at_1", "hit_at_5", "hit_at_10", "average_precision", "ndcg_at_10")


def main() -> None:
    """Run the grid with a column for the split, and print the scores with their intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".modalgrid"))
    parser.add_argument("--out", type=Path, default=Path("runs") / "flickr-official")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        grid = written_grid(Path(folder))
        code = run.main([str(grid), "--store", str(options.store), "--out", str(options.out)])
    if code:
        raise SystemExit(code)
    verdict = json.loads((options.out / "verdict.json").read_text(encoding="utf-8"))
    for way in ("text_to_image", "image_to_text"):
        print(f"\n| {way.replace('_', ' ')} | {' | '.join(METRICS)} | median rank |")
        for cell in verdict["cells"]:
            scores = cell["scores"][way]
            shown = [_shown(scores[metric]) for metric in METRICS]
            print(f"| {cell['name']} | {' | '.join(shown)} | {scores['median_rank']['estimate']} |")


def written_grid(folder: Path) -> Path:
    """The grid with the official split, and its table, in a folder: the grid's path."""
    with (DATA / "flickr1000_captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    test = set(sorted({row["name"] for row in rows})[:TEST])
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["name", "caption", "part"])
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "part": "test" if row["name"] in test else "train"})
    lines = (ROOT / "grids" / "flickr_retrieval.yaml").read_text(encoding="utf-8").splitlines()
    changed = [
        "split: {official: true}" if line.startswith("split:") else line for line in lines
    ]
    text = "\n".join(changed).replace("../../shared/data/flickr1000_captions.csv", "captions.csv")
    text = text.replace("../../shared/data", str(DATA)).replace(
        "  group: name", "  group: name\n  split: part"
    )
    grid = folder / "flickr_official.yaml"
    grid.write_text(text + "\n", encoding="utf-8")
    return grid


def _shown(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


if __name__ == "__main__":
    main()
