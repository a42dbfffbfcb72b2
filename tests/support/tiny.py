"""A tiny but real picture encoder, a failing one, and a small table on disk with its grid."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import features
from features.block import Block, Form, Modality
from features.encoder import Encoder
from features.pictures.decoding import decode
from pipeline import run
from pipeline.followup import finishing
from reports.record import RunRecord
from tests.support.samples import small_samples


class MeanColour(Encoder):
    """Mean of each colour channel, or of the four quarters as regions; counts its samples."""

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled", "sequence": "regions"}
    weights: ClassVar[str] = "none"
    calls: ClassVar[list[int]] = []

    def __init__(self, power: float = 1.0, output: str = "pooled") -> None:
        self.power = power
        self.output = output

    def identity(self) -> dict[str, Any]:
        return {"weights": self.weights}

    def transform(self, samples: Sequence[bytes]) -> Block:
        type(self).calls.append(len(samples))
        pictures = [np.asarray(decode(data), dtype=np.float32) / 255 for data in samples]
        regions = np.array(
            [[part.mean(axis=(0, 1)) for part in _quarters(pixels)] for pixels in pictures],
            dtype=np.float32,
        )
        regions = regions.reshape(len(samples), 4, 3) ** self.power
        if self.output == "pooled":
            return Block.of(regions.mean(axis=1))
        return Block.of(regions, np.ones(regions.shape[:2], dtype=bool))


def _quarters(pixels: np.ndarray) -> list[np.ndarray]:
    """The upper quarters of a picture (height, width, 3), then the lower ones."""
    halves = np.array_split(pixels, 2)
    return list(chain.from_iterable(np.array_split(half, 2, axis=1) for half in halves))


class Broken(MeanColour):
    """An encoder that cannot encode."""

    def transform(self, samples: Sequence[bytes]) -> Block:
        raise RuntimeError("the weights melted")


GRID = """
name: tiny
seed: 3
data: {source: table, path: items.csv, image: picture, text: words, label: kind, id: sku}
split: {folds: 3, repeats: 1, inner: 2}
image: [mean_colour]
text: [bow]
fusion: [majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]
classifier: {logistic: {C: [1, 100]}}
"""
TEXT_GRID = (
    GRID.replace("image: [mean_colour]\n", "")
    .replace(
        "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
        "[majority, text_only]",
    )
    .replace("image: picture, ", "")
    .replace("[bow]", "[bow, tfidf]")
)


def register(patch: Any) -> None:
    """Offer the encoders above to grids, with no calls counted yet."""
    patch.setitem(features.IMAGE_ENCODERS, "mean_colour", MeanColour)
    patch.setitem(features.IMAGE_ENCODERS, "broken", Broken)
    patch.setattr(MeanColour, "calls", [])


def without_report(patch: Any) -> None:
    """Leave the report's pages out, for tests that read only scores and predictions."""
    patch.setattr("reports.page.render.write_report", lambda *_: None)


def recorded_runs(patch: Any) -> list[RunRecord]:
    """The records of the runs of classification from now on; their files are written as ever."""
    records: list[RunRecord] = []
    write = finishing.write_run

    def recorded(record: RunRecord, *rest: Any) -> None:
        records.append(record)
        write(record, *rest)

    patch.setattr(finishing, "write_run", recorded)
    return records


def write_table(folder: Path, per_class: int = 12, **changes: Any) -> Path:
    """Pictures and items.csv of the small samples, with a grid file; returns the grid file."""
    samples = small_samples(per_class, **changes)
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "picture", "words", "kind"])
        for row, picture in enumerate(samples.pictures):
            if picture is not None:
                (folder / f"{row}.png").write_bytes(picture.read())
            writer.writerow(
                [samples.ids[row], f"{row}.png", samples.texts[row], samples.labels[row]]
            )
    return write_grid(folder, GRID)


def read_rows(folder: Path) -> list[list[str]]:
    """The table's rows, without the header."""
    with (folder / "items.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def write_rows(folder: Path, rows: Sequence[Sequence[str]], *more: str) -> None:
    """Write the table anew; `more` are columns beyond those of `write_table`."""
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["sku", "picture", "words", "kind", *more], *rows])


def write_grid(folder: Path, text: str) -> Path:
    path = folder / "grid.yaml"
    path.write_text(text)
    return path


def run_grid(
    folder: Path, *options: str, out: str = "out", jobs: int = 1, store: str | None = None
) -> int:
    """Run the folder's grid with its own store, or that of an address."""
    return run.main(
        [
            str(folder / "grid.yaml"),
            "--out",
            str(folder / out),
            "--store",
            store or str(folder / "store"),
            "--jobs",
            str(jobs),
            *options,
        ]
    )


def scores(folder: Path, out: str = "out") -> list[dict[str, str]]:
    """Rows of scores.csv."""
    with (folder / out / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def results(folder: Path, out: str = "out") -> list[dict[str, str]]:
    """Rows of scores.csv without the times."""
    return [{name: value for name, value in row.items() if not name.endswith("_seconds")}
            for row in scores(folder, out)]
