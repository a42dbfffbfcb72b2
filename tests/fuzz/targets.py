"""What is fed to which reader, and the errors that are its answers."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse

from features.networks.checkpoint import read_checkpoint
from features.pictures.decoding import UnreadablePicture, decode
from features.texts.word_vectors import from_file
from pipeline.config.cells import expand
from pipeline.config.grid import GridError
from pipeline.config.parse import checked_grid
from pipeline.config.yaml_lines import parse_yaml
from pipeline.data.samples import SourceError
from pipeline.data.sources.folder import Folder
from pipeline.data.sources.table import Table
from pipeline.store.files import sha256
from pipeline.store.manifest import Damaged, parsed, sealed
from pipeline.store.verified_files import VerifiedFiles
from tests.fuzz.mutation import harmed, seeds


@dataclass(frozen=True)
class Target:
    """A reader, the inputs it gets, and the errors that it may answer with.

    Parameters
    ----------
    read : takes the content and an empty folder.
    """

    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], object]
    answers: tuple[type[Exception], ...]


def _grid(content: bytes, folder: Path) -> None:
    text = content.decode("utf-8", "replace")
    expand(checked_grid(parse_yaml(text), folder / "grid.yaml"))


def _table(ending: str) -> Callable[[bytes, Path], object]:
    def read(content: bytes, folder: Path) -> object:
        (folder / f"items{ending}").write_bytes(content)
        return Table(path=Path(f"items{ending}"), text="text", label="label").load(folder)

    return read


def _captions(content: bytes, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / "set" / name).mkdir(parents=True)
        (folder / "set" / name / "1.png").touch()
    (folder / "captions.csv").write_bytes(content)
    Folder(path=Path("set"), captions=Path("captions.csv")).load(folder)


def _picture(content: bytes, folder: Path) -> None:
    decode(content)
    decode(content, side=8)


def _vectors(ending: str) -> Callable[[bytes, Path], None]:
    def read(content: bytes, folder: Path) -> None:
        path = folder / f"vectors{ending}"
        path.write_bytes(content)
        try:
            lookup = from_file(path)
            lookup.take(np.array(sorted(lookup.rows.values()), dtype=np.int64))
        except ValueError as error:
            if str(path) not in str(error):
                raise RuntimeError(f"the error does not name the file: {error}") from error
            raise

    return read


def _manifest(content: bytes, folder: Path) -> None:
    text = content.decode("utf-8", "replace").rstrip()
    parsed(sealed(text).encode() if text.endswith("}") else content)


def _matrix(content: bytes, folder: Path) -> None:
    path = folder / "counts.npz"
    path.write_bytes(content)
    matrix = VerifiedFiles().read(folder, {
        "file": path.name, "shape": [3, 4], "dtype": "float64", "bytes": len(content),
        "sha256": sha256(path),
    })
    matrix.sum()


def _checkpoint(ending: str) -> Callable[[bytes, Path], object]:
    def read(content: bytes, folder: Path) -> object:
        path = folder / f"weights{ending}"
        path.write_bytes(content)
        return read_checkpoint(path)

    return read


def _pictures() -> list[bytes]:
    files = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000"):
        for mode in ("RGB", "L"):
            file = io.BytesIO()
            Image.effect_noise((24, 17), 40).convert(mode).save(file, kind)
            files.append(file.getvalue())
    return files


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _keyed() -> bytes:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(vector_size=2)
    vectors.add_vectors(["red", "car"], np.eye(2, dtype=np.float32))
    return pickle.dumps(vectors, protocol=4)


def _torch() -> bytes:
    import torch

    return _saved(lambda file: torch.save({"weight": torch.ones(2, 3)}, file))


def _safetensors(**arrays: Any) -> bytes:
    from safetensors.numpy import save

    return save(arrays)


WORDS = {"words": np.array(["red", "car"]), "vectors": np.eye(2, dtype=np.float32)}
PACKED = {**WORDS, "words": np.frombuffer(b"red\ncar\n", dtype=np.uint8)}
BINARY = b"2 2\nred " + np.ones(2, "<f4").tobytes() + b"\ncar " + np.ones(2, "<f4").tobytes()
CSR = sparse.csr_matrix(np.eye(3, 4))


def targets() -> dict[str, Target]:
    """Every reader by name."""
    refused = (SourceError,)
    return {
        "grids": Target(harmed(seeds(".yaml")), _grid, (GridError,)),
        "tables (csv)": Target(harmed(seeds(".csv")), _table(".csv"), refused),
        "tables (tsv)": Target(harmed(seeds(".tsv")), _table(".tsv"), refused),
        "tables (json lines)": Target(harmed(seeds(".jsonl")), _table(".jsonl"), refused),
        "captions": Target(harmed(seeds(".csv")), _captions, refused),
        "pictures": Target(harmed(_pictures()), _picture, (UnreadablePicture,)),
        "vectors (text, binary)": Target(
            harmed([*seeds(".vec"), BINARY]), _vectors(".txt"), (ValueError,)
        ),
        "vectors (gensim)": Target(harmed([_keyed()]), _vectors(".kv"), (ValueError,)),
        "vectors (npz)": Target(
            harmed([_saved(lambda file: np.savez(file, **WORDS))]), _vectors(".npz"), (ValueError,)
        ),
        "vectors (safetensors)": Target(
            harmed([_safetensors(**PACKED)]), _vectors(".safetensors"), (ValueError,)
        ),
        "manifests": Target(harmed(seeds(".json")), _manifest, (Damaged,)),
        "matrices": Target(
            harmed([_saved(lambda file: sparse.save_npz(file, CSR, compressed=False))]),
            _matrix,
            (Damaged,),
        ),
        "checkpoints (torch)": Target(harmed([_torch()]), _checkpoint(".pt"), (ValueError,)),
        "checkpoints (safetensors)": Target(
            harmed([_safetensors(weight=np.ones((2, 3), np.float32))]),
            _checkpoint(".safetensors"),
            (ValueError,),
        ),
    }

