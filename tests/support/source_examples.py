"""A tiny example of every source, written to a folder; contract tests load them all."""

from __future__ import annotations

import csv
import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.samples import SourceError

COLOURS = ("red", "green", "blue", "black")


def png(colour: str) -> bytes:
    """A 4x4 picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return file.getvalue()


def write_csv(path: Path, rows, delimiter=","):
    """Write rows, the first of which names the columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def table(folder, monkeypatch):
    (folder / "p").mkdir()
    for colour in COLOURS:
        (folder / "p" / f"{colour}.png").write_bytes(png(colour))
    write_csv(
        folder / "items.csv",
        [
            ("picture", "title", "class", "sku", "brand", "part", "kind"),
            *(
                (
                    f"p/{colour}.png",
                    f"a {colour} thing",
                    "dark" if colour == "black" else "light",
                    str(number),
                    "b",
                    "train" if number % 2 else "test",
                    "warm" if colour == "red" else "cold",
                )
                for number, colour in enumerate(COLOURS)
            ),
        ],
    )
    return {"path": "items.csv", "image": "picture", "text": "title", "label": "class", "id": "sku",
            "group": "brand", "split": "part", "breakdown": "kind", "recurring": "text"}


def folder(folder, monkeypatch):
    for colour in COLOURS:
        of_class = folder / "classes" / ("dark" if colour == "black" else "light")
        of_class.mkdir(parents=True, exist_ok=True)
        (of_class / f"{colour}.png").write_bytes(png(colour))
    write_csv(
        folder / "captions.csv",
        [("file", "caption"), ("light/red.png", "red"), ("dark/black.png", "dark")],
    )
    return {"path": "classes", "captions": "captions.csv"}


def cifar10(folder, monkeypatch):
    write_cifar10(folder / "cifar-10-batches-py", monkeypatch)
    return {"path": "."}


def openmoji(folder, monkeypatch):
    return {}


def huggingface(folder, monkeypatch):
    import pytest

    datasets = pytest.importorskip("datasets", reason="the datasets library is an optional extra")
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "text": datasets.Value("string"),
            "sku": datasets.Value("int64"),
            "class": datasets.ClassLabel(names=["cat", "dog"]),
            "kind": datasets.ClassLabel(names=["old", "young"]),
        }
    )
    rows = {
        "picture": [
            {"bytes": png("red"), "path": None},
            {"bytes": png("blue"), "path": None},
            None,
        ],
        "text": ["a cat", " ", "a what?"],
        "class": [0, 1, -1],
        "sku": [7, 8, 9],
        "kind": [0, 1, 0],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(folder / "saved")
    return {
        "path": "saved",
        "image": "picture",
        "text": "text",
        "label": "class",
        "id": "sku",
        "group": "kind",
        "breakdown": "kind",
    }


def easy_vqa(folder, monkeypatch):
    pytest.importorskip("easy_vqa", reason="the package easy-vqa is an optional extra")
    return {"pictures": 20}


def shapes(folder, monkeypatch):
    return {"scenes": 8}


# Source -> function that writes an example into a folder and returns the parameters that read it.
EXAMPLES = {
    "table": table,
    "folder": folder,
    "cifar10": cifar10,
    "openmoji": openmoji,
    "huggingface": huggingface,
    "easy_vqa": easy_vqa,
    "shapes": shapes,
}

CIFAR_CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
# The four rows of each batch: class and search term.
CIFAR_ROWS = [
    ("cat", "tabby_cat"),
    ("ship", "cruiser"),
    ("automobile", "cruiser"),
    ("cat", "mouser"),
]
CIFAR_BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def cifar_pixels(batch: str) -> np.ndarray:
    """Pixels (4, 3072) of a batch of the example, different in every batch."""
    return np.random.default_rng(CIFAR_BATCHES.index(batch)).integers(
        0, 256, (4, 3072), dtype=np.uint8
    )


def write_cifar10(folder: Path, monkeypatch) -> None:
    """Write CIFAR-10's files with four rows each, and have the source know their md5."""
    contents = {
        "batches.meta": {"num_cases_per_batch": 4, "label_names": CIFAR_CLASSES, "num_vis": 3072}
    }
    for number, batch in enumerate(CIFAR_BATCHES):
        contents[batch] = {
            "batch_label": batch,
            "labels": [CIFAR_CLASSES.index(label) for label, _ in CIFAR_ROWS],
            "data": cifar_pixels(batch),
            "filenames": [
                f"{term}_s_{number:05d}{row}.png" for row, (_, term) in enumerate(CIFAR_ROWS)
            ],
        }
    folder.mkdir()
    for name, content in contents.items():
        write_pickle(folder / name, content, monkeypatch)


def write_pickle(file: Path, content, monkeypatch) -> None:
    """Write a file in the form of Python 2's pickles, and have the source know its md5."""
    from pipeline.data.sources import cifar10_archive

    written = b"\x80\x02" + python2(content) + b"."
    file.write_bytes(written)
    monkeypatch.setitem(cifar10_archive.MD5, file.name, hashlib.md5(written).hexdigest())


def python2(value) -> bytes:
    """Opcodes by which Python 2 pickled the official files: byte strings, and arrays of numpy 1."""
    if isinstance(value, str | bytes):
        content = value.encode("latin1") if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(content)) + content
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, dict):
        return (
            b"}(" + b"".join(python2(key) + python2(entry) for key, entry in value.items()) + b"u"
        )
    dtype = (b"cnumpy\ndtype\n(" + python2("u1") + b"K\x00K\x01tR(K\x03" + python2("|")
             + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
    empty = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + python2("b") + b"tR"
    )
    shape = b"(" + b"".join(map(python2, value.shape)) + b"t"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + python2(value.tobytes()) + b"tb"


def problems_of(load):
    """Every problem that a call reports."""
    with pytest.raises(SourceError) as caught:
        load()
    return list(caught.value.problems)
