"""A Sentence-BERT as a file of ONNX, beside the tokenizer that reads texts for it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from features.encoders.exported_sentences import MASK, NUMBERS, ExportedSentences
from features.encoders.sentence_bert import SentenceBert
from features.machine.precision import chosen_precision
from features.texts.sentence_models import loaded, model_folder
from pipeline.use.exporting.encoders import BEHIND, PARTS
from pipeline.use.exporting.network import EXAMPLE_LENGTH, EXAMPLES
from pipeline.use.exporting.writing import onnx_file, too_large

OUTPUT = "vectors"


class SentenceNetwork(nn.Module):
    """Vectors (b, d) of texts or (b, t, d) of their tokens, from token numbers and mask (b, t).

    Parameters
    ----------
    net : a SentenceTransformer.
    encoder : that it belongs to.
    """

    def __init__(self, net: nn.Module, encoder: SentenceBert) -> None:
        super().__init__()
        self.net, self.output, self.normalise = net, encoder.output, encoder.normalise

    def forward(self, numbers: Tensor, mask: Tensor) -> Tensor:
        """See SentenceBert.transform."""
        outputs = self.net({"input_ids": numbers, "attention_mask": mask})
        vectors: Tensor = outputs[
            "sentence_embedding" if self.output == "sentence" else "token_embeddings"
        ]
        if self.normalise and self.output == "sentence":
            vectors = nn.functional.normalize(vectors, dim=1)
        return vectors


def why_not(encoder: SentenceBert) -> str:
    """Why an encoder cannot be exported, as a clause; empty where it can."""
    precision = chosen_precision(encoder.precision).name
    if precision != "float32":
        return f"it computes in {precision}, and exported it would in float32: precision: float32"
    net: Any = _net(encoder)
    parts = [type(part).__name__ for part in net]
    if parts[:2] != ["Transformer", "Pooling"] or not set(parts[2:]) <= set(BEHIND):
        return f"its model consists of {', '.join(parts)}; what can be exported is {PARTS}"
    if "message" in getattr(net[0], "modality_config", {}):
        return "its model reads texts as messages of a conversation"
    if not getattr(net.tokenizer, "is_fast", False):
        return "its tokenizer is none of the library tokenizers"
    if encoder.prompt and not getattr(net[1], "include_prompt", True):
        return "its model leaves the tokens of the prompt out"
    return too_large(net)


def exported_sentences(encoder: SentenceBert, folder: Path, name: str) -> ExportedSentences:
    """Write the encoder into a folder, as files of this name.

    Raises
    ------
    ValueError
        Where PyTorch cannot export it, or ONNX Runtime not read what it wrote.
    """
    net: Any = deepcopy(_net(encoder)).cpu().eval()
    numbers = torch.ones((EXAMPLES, EXAMPLE_LENGTH), dtype=torch.int64)
    texts, length = torch.export.Dim("texts"), torch.export.Dim("length")
    try:
        graph = onnx_file(
            SentenceNetwork(net, encoder).eval(),
            (numbers, torch.ones_like(numbers)),
            names=((NUMBERS, MASK), OUTPUT),
            shapes=({0: texts, 1: length}, {0: texts, 1: length}),
        )
    except torch.onnx.OnnxExporterError as error:
        raise ValueError("PyTorch cannot export its model") from error
    written = ExportedSentences(
        graph=folder / f"{name}.onnx",
        tokenizer=folder / f"{name}.tokenizer.json",
        prompt=encoder.prompt,
        output="tokens" if encoder.output == "tokens" else "sentence",
    )
    written.graph.write_bytes(graph)
    written.tokenizer.write_text(_reader(net), encoding="utf-8")
    written.load()
    return written


def _net(encoder: SentenceBert) -> Any:
    return loaded(model_folder(encoder.model), encoder.max_tokens, "float32")


def _reader(net: Any) -> str:
    """The tokenizer as it is set: what it changes, where it cuts off, and no padding."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_str(net.tokenizer.backend_tokenizer.to_str())
    reader.no_padding()
    reader.no_truncation()
    if net.max_seq_length:
        reader.enable_truncation(
            int(net.max_seq_length), direction=str(net.tokenizer.truncation_side)
        )
    text: str = reader.to_str()
    return text
