"""Whether a sentence is about a photo: a question that neither tells, and no sum of both.

Run by hand: ``python -m benchmarks.captions [--store FOLDER] [--cells PATTERN] [--seconds]``. The
photos of ../shared/data, in sets of five that are drawn by a seed. Each of a photo's five sentences
is a row with its own photo, and another one with a photo of the same set that it was not written
for; every photo gets five of these. So the classes, "own" and "other", are equally frequent for
each photo and for each sentence, and whoever sees one of them is right on half of the rows. Folds
keep sets whole: photos and sentences of test rows are new.

Printed are accuracy and log loss of each cell, with differences to concat of the same encoders on
the same folds and the corrected 95 % interval; with --seconds also those of the processor for a fit
on the first fold. Features and results come from the store, or go there.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.halves import print_over, scored
from benchmarks.retrieval import DATA
from benchmarks.several import seconds_of
from pipeline.store.opening import DEFAULT_STORE

PHOTOS = 5  # of a set: as many as a photo has sentences
GRID = """
name: captions
seed: 0
data:
  source: table
  path: captions.csv
  join: {{path: {pictures}, on: name}}
  image: image
  text: caption
  label: photo
  group: set
split: {{folds: 5, repeats: 1, inner: 2}}
image: [cnn]
text: [tfidf, sbert]
fusion:
  - image_only
  - text_only
  - concat
  - late
  - gated
  - co_training: {{interaction: product}}
  - attention: {{projection: [linear, hidden]}}
  - cross_attention
classifier: {{logistic: {{C: [1, 10]}}}}
metric: accuracy
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default=DEFAULT_STORE)
    parser.add_argument("--cells", default="", help="regular expression that names must hold")
    parser.add_argument("--seconds", action="store_true", help="fit all cells once more, for these")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        grid = written_grid(Path(folder))
        run = scored(grid, asked.store, 1.0, asked.cells)
        print_over([run], "concat")
        print("\n| cell | accuracy | log loss |\n|:--|--:|--:|")
        for cell, folds in run.folds.items():
            score = fmean(fold.scores[run.metric] for fold in folds)
            loss = fmean(fold.scores["log_loss"] for fold in folds)
            print(f"| {cell.name} | {score:.3f} | {loss:.3f} |")
        if asked.seconds:
            for name, seconds in seconds_of(grid, asked.store, list(run.cells)).items():
                print(f"{name}: {seconds:.1f} s of the processor for a fit")


def written_grid(folder: Path) -> Path:
    """The grid and its table in a folder: the grid's path."""
    with (DATA / "flickr1000_captions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sentences: dict[str, list[str]] = {}
    for row in rows:
        sentences.setdefault(row["name"], []).append(row["caption"])
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["name", "caption", "photo", "set"])
        writer.writeheader()
        writer.writerows(pairs(sentences))
    grid = folder / "grid.yaml"
    pictures = DATA / "flickr1000_pictures.parquet"
    grid.write_text(GRID.format(pictures=pictures), encoding="utf-8")
    return grid


def pairs(sentences: Mapping[str, Sequence[str]], seed: int = 0) -> Iterator[dict[str, str]]:
    """Every sentence with its own photo, and with another one of its set."""
    names = np.random.default_rng(seed).permutation(sorted(sentences)).tolist()
    for position, name in enumerate(names):
        first = position - position % PHOTOS  # of its set
        for number, sentence in enumerate(sentences[name]):
            step = 1 + number % (PHOTOS - 1)
            other = names[first + (position - first + step) % PHOTOS]
            for photo, label in ((name, "own"), (other, "other")):
                yield {"name": photo, "caption": sentence, "photo": label, "set": f"set {first}"}


if __name__ == "__main__":
    main()
