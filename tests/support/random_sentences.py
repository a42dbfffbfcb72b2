"""A sentence model of few and random weights, in a folder."""

from __future__ import annotations

import json
from pathlib import Path

MODULES = "sentence_transformers.models"  # as every version of the library reads it
WORDS = ("a", "small", "dog", "cat", "runs", "red", "house", "tree", "river", "over")


def random_sentence_model(folder: Path, width: int = 32, layers: int = 2) -> Path:
    """Save a BERT of `layers` layers that is `width` wide, and the mean of its tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join([*marks, *WORDS]), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BertModel(
            BertConfig(
                vocab_size=len(marks) + len(WORDS),
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=width // 16,
                intermediate_size=4 * width,
                max_position_embeddings=512,
            )
        )
    network.save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=256).save_pretrained(folder)
    for name, content in {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{MODULES}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{MODULES}.Pooling"},
        ],
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": width, "pooling_mode_mean_tokens": True
        },
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
