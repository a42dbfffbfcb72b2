"""Pairs of encoders, CLIP's and SigLIP's, of few and random weights, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = ("a", "red", "green", "blue", "dog", "cat", "house", "over", "small")
WIDTH, TOKENS, SIDE, PATCH = 16, 77, 32, 8  # of the shared space; read of a text; of pictures


def random_pair(folder: Path, seed: int = 0, side: int = SIDE, **vision: int) -> Path:
    """Save a CLIP: its two halves, tokenizer and preparation of pictures `side` pixels wide.

    Parameters
    ----------
    vision : what the half that reads pictures has otherwise, as CLIPVisionConfig calls it.
    """
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    tokenizer = _clip_tokenizer()
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    configuration = CLIPConfig(
        text_config={
            **_layers(32),
            **marks,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": TOKENS,
            "projection_dim": WIDTH,
        },
        vision_config={
            **_layers(48),
            "image_size": side,
            "patch_size": PATCH,
            "projection_dim": WIDTH,
            **vision,
        },
        projection_dim=WIDTH,
    )
    crop = {"height": side, "width": side}
    pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size=crop)
    _save(CLIPModel, configuration, CLIPProcessor(pictures, tokenizer), folder, seed)
    return folder


def random_siglip(folder: Path) -> Path:
    """Save a SigLIP, whose texts are all padded to 16 tokens."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    tokenizer = _word_tokenizer()
    configuration = SiglipConfig(
        text_config={
            **_layers(32),
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "projection_size": 32,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "pad_token_id": 0,
        },
        vision_config={**_layers(32), "image_size": SIDE, "patch_size": PATCH},
    )
    pictures = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    _save(SiglipModel, configuration, SiglipProcessor(pictures, tokenizer), folder, 0)
    return folder


def _layers(width: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }


def _save(cls: Any, configuration: Any, processor: Any, folder: Path, seed: int) -> None:
    import torch
    from transformers.utils import logging

    folder.mkdir(parents=True, exist_ok=True)
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            cls(configuration).save_pretrained(folder)
    finally:
        logging.enable_progress_bar()
    processor.save_pretrained(folder)


def _clip_tokenizer() -> Any:
    """Bytes, and a few merges of them."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    merged = ["re", "red</w>"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *merged]
    vocabulary = [*words, "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: number for number, word in enumerate(vocabulary)},
        merges=[("r", "e"), ("re", "d</w>")],
        model_max_length=TOKENS,
    )


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["<pad>", "</s>", "<unk>", *WORDS]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=16,
        model_input_names=["input_ids"],
    )
