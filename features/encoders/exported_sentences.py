"""Sentence-BERT as ONNX: what SentenceBert makes of texts, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from features.block import Block, FloatArray, Form, Modality
from features.encoder import Encoder
from features.encoders.sentence_bert import sequences
from features.machine.identity import versions
from features.machine.onnx_runtime import PACKAGES, session_of
from features.texts.valid import valid_texts

NUMBERS, MASK = "token_ids", "attention_mask"  # what the graph takes
TOKENS_AT_ONCE = 2048


@dataclass(kw_only=True, eq=False, repr=False)
class ExportedSentences(Encoder):
    """Vectors of texts, or of their tokens, by ONNX Runtime (see SentenceBert).

    It is no encoder for a grid: a bundle holds it, written from a SentenceBert. Importing
    sentence-transformers takes 6 s of CPU, and this 0.1 s (benchmarks/start.py).

    Texts of equal length go together, so that nothing is padded, and what a text becomes depends on
    no other: rows of a batch are the same to the bit in any batch of two or more.

    Parameters
    ----------
    graph : file of ONNX: token numbers and attention mask, int64 (b, t), in, vectors float32 (b, d)
        or (b, t, d) out.
    tokenizer : file of the library tokenizers, which cuts texts off by what it says itself.
    prompt : put before every text.
    output : see SentenceBert.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "sentence", "sequence": "tokens"}

    graph: Path
    tokenizer: Path
    prompt: str = ""
    output: Literal["sentence", "tokens"] = "sentence"

    def identity(self) -> dict[str, Any]:
        """Versions of what reads and computes."""
        return {"libraries": versions(*PACKAGES)}

    def transform(self, samples: Sequence[str]) -> Block:
        """Encode m texts: float32 (m, d), or (m, t, d) with a mask, t the most tokens of a text."""
        numbers = self.token_ids(samples)
        width = self._session.get_outputs()[0].shape[-1]
        vectors: list[FloatArray] = [np.zeros((0, width), dtype=np.float32)] * len(numbers)
        for positions in self._batches(numbers):
            batch = self._asked(np.array([numbers[position] for position in positions]))
            for position, of_text in zip(positions, batch, strict=True):
                vectors[position] = of_text
        if self.output == "sentence":
            return Block.of(np.array(vectors, dtype=np.float32).reshape(len(numbers), width))
        longest = max(map(len, numbers), default=1)
        return sequences(vectors, longest) if vectors else Block.of(
            np.zeros((0, longest, width), dtype=np.float32), np.zeros((0, longest), dtype=bool)
        )

    def token_ids(self, samples: Sequence[str]) -> list[list[int]]:
        """Numbers of each text's tokens, as many as the model reads."""
        texts = [self.prompt + text for text in valid_texts(samples)]
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]

    def tokens(self, samples: Sequence[str]) -> list[list[str]]:
        """The word pieces of each text as the model reads them, with its start and end marks."""
        return [
            [self._tokenizer.id_to_token(number) for number in numbers]
            for numbers in self.token_ids(samples)
        ]

    def load(self) -> None:
        """Open both files. Raises ValueError where one cannot be read."""
        try:
            _ = self._tokenizer, self._session
        # tokenizers raises Exception itself
        except Exception as error:
            raise ValueError(str(error)) from error

    def _asked(self, numbers: Any) -> FloatArray:
        """Vectors of texts of one length, of a lone text beside a copy of itself."""
        given = np.repeat(numbers, 2, axis=0) if self.exact and len(numbers) == 1 else numbers
        vectors: FloatArray = self._session.run(
            None, {NUMBERS: given, MASK: np.ones_like(given)}
        )[0]
        return vectors[: len(numbers)]

    def _batches(self, numbers: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Positions of texts of one length each, no more than are computed at once."""
        by_length: dict[int, list[int]] = {}
        for position, of_text in enumerate(numbers):
            by_length.setdefault(len(of_text), []).append(position)
        for length, positions in by_length.items():
            size = max(2, TOKENS_AT_ONCE // max(length, 1))
            for start in range(0, len(positions), size):
                yield positions[start : start + size]

    @cached_property
    def _session(self) -> Any:
        return session_of(self.graph)

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self.tokenizer))
