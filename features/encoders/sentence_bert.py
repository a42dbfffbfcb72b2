"""Sentence-BERT: texts as the vectors of a pretrained sentence transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import scipy
from pydantic import Field

from features.advance import advance
from features.block import (
    Block,
    FloatArray,
    Form,
    Modality,
    TrainableNetwork,
    Unfreeze,
    joined,
    unit_rows,
)
from features.encoder import Encoder
from features.machine.precision import Precision, chosen_precision
from features.texts.sentence_models import loaded, model_folder, model_identity
from features.texts.valid import valid_texts
from features.texts.writing_systems import foreign_remark

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Tokens of a batch. Other batches change results in the last digits, which is why the encoder's
# version is raised with these. On a CPU a token of 512 takes 3 % longer than one of 2,048, but
# fewer fill the last batches: of the tokens computed for 120, 1,000 and 5,300 texts 47, 82 and 88 %
# are the texts', in place of 16, 59 and 81 (benchmarks.sentences).
TOKENS_AT_ONCE = {"cpu": 512, "accelerator": 16384}
FILLER = "a"  # a text that fills a batch
# Texts whose vectors are in memory together: sentences alone are small, tokens are not.
PIECE, PIECE_WITH_TOKENS = 8192, 256
# Much used models that have learned from English texts alone.
ENGLISH = frozenset(
    {"all-MiniLM-L6-v2", "all-MiniLM-L12-v2", "all-mpnet-base-v2", "all-distilroberta-v1",
     "multi-qa-MiniLM-L6-cos-v1", "multi-qa-mpnet-base-dot-v1", "paraphrase-MiniLM-L6-v2",
     "paraphrase-mpnet-base-v2", "bge-small-en-v1.5", "bge-base-en-v1.5", "bge-large-en-v1.5",
     "e5-small-v2", "e5-base-v2", "e5-large-v2"})


@dataclass(kw_only=True, eq=False, repr=False)
class SentenceBert(Encoder):
    """Sentence vectors, or the vectors of a text's tokens (Reimers and Gurevych, 2019).

    Learns nothing. Texts longer than the model reads are cut off, and counted.

    Parameters
    ----------
    model : "all-MiniLM-L6-v2" (by pip, no network needed), the folder of a sentence-transformers
        model (in a grid, ./ or ../ in front says that it is one and counts from the grid file), or
        a model's name on the Hugging Face hub: taken from the local cache where it is there, else
        downloaded once. A model that is on this machine is used without any network call.
    prompt : put before every text, for models that were trained with one ("query: ", say).
    max_tokens : tokens read of each text, counting the prompt's and the model's own start and end
        marks; None for as many as the model reads.
    normalise : whether sentence vectors are scaled to unit length.
    precision : "float32"; "bfloat16"; "auto" for the second where this machine computes it
        natively.
    output : "sentence" for (n, d); "tokens" for (n, t, d), the last layer's token vectors with the
        start and end marks, so that an empty text has tokens too; "numbers" for the tokens' numbers
        in the model's vocabulary, int32 (n, t), -1 behind a text's end.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 3
    forms: ClassVar[dict[Form, str | None]] = {
        "pooled": "sentence", "sequence": "tokens", "inputs": "numbers"}

    english: ClassVar[frozenset[str]] = ENGLISH
    multilingual: ClassVar[str] = "paraphrase-multilingual-MiniLM-L12-v2"

    model: str = "all-MiniLM-L6-v2"
    prompt: str = ""
    max_tokens: Annotated[int, Field(ge=3)] | None = None
    normalise: bool = True
    precision: Precision = "float32"
    output: Literal["sentence", "tokens", "numbers"] = "sentence"

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return ("torch", "sentence_transformers")

    def identity(self) -> dict[str, Any]:
        """Digest of the model's files, library versions, and the precision on this machine."""
        return model_identity(model_folder(self.model), chosen_precision(self.precision))

    def transform(self, samples: Sequence[str]) -> Block:
        """Encode m texts: float32 (m, d), or (m, t, d) with a mask, t the most tokens of a text.

        Raises
        ------
        FileNotFoundError
            Where the model is neither on this machine nor can be downloaded.
        """
        return joined([piece[self.output] for piece in self.pieces(samples, [self.output])])

    def pieces(
        self, samples: Sequence[str], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """See Encoder.pieces: one pass over the texts, which need not fit into memory."""
        net = self._net()
        if "numbers" in outputs:
            yield from self._numbers(net, samples)
            outputs = [output for output in outputs if output != "numbers"]
            if not outputs:
                return
        tokens = "tokens" in outputs
        some = samples if len(samples) else [""]  # no text at all still has a width
        longest = max(map(len, self._token_ids(net, some, cut=True))) if tokens else 0
        step = PIECE_WITH_TOKENS if tokens else PIECE
        for start in range(0, max(len(samples), 1), step):
            texts = valid_texts(samples[start:start + step])
            piece = Piece(texts or [""], start, len(samples))
            blocks = self._encoded(net, piece, tokens, longest)
            yield {output: _first(blocks[output], len(texts)) for output in outputs}

    def _numbers(
        self, net: SentenceTransformer, samples: Sequence[str]
    ) -> Iterator[dict[str | None, Block]]:
        # As wide as the model reads, whatever the texts: `max_tokens` makes it narrower.
        longest = net.max_seq_length or max(
            map(len, self._token_ids(net, samples, cut=True)), default=1
        )
        for start in range(0, max(len(samples), 1), PIECE):
            texts = list(self._token_ids(net, samples[start:start + PIECE], cut=True))
            numbers = np.full((len(texts), longest), -1, dtype=np.int32)
            for row, text in zip(numbers, texts, strict=True):
                row[:len(text)] = text
            advance(start + len(texts), len(samples), "samples")
            yield {"numbers": Block.of(numbers, encoder=self)}

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder.network. Always in float32: whoever trains it settles the precision."""
        from features.networks.trainable import text_network

        # A copy: training must not reach the model that encodes.
        net = deepcopy(loaded(model_folder(self.model), self.max_tokens, "float32"))
        return text_network(net, self.normalise, unfreeze)

    def _encoded(
        self, net: SentenceTransformer, piece: Piece, tokens: bool, longest: int
    ) -> dict[str | None, Block]:
        """Sentence vectors of a piece, and where `tokens` says so its tokens' vectors.

        A text's vectors are the same to the bit whatever texts it comes with: those of one class of
        lengths go together, padded to the end of the class, in batches that are always full.
        """
        values: list[Any] = [None] * len(piece.texts)
        for batch in self._batches(net, piece):
            encoded: Any = net.encode(
                batch.texts, prompt=self.prompt or None, batch_size=len(batch.texts),
                show_progress_bar=False, convert_to_numpy=not tokens,
                output_value=None if tokens else "sentence_embedding", **batch.padding)
            for position, vectors in zip(batch.positions, encoded, strict=False):  # fillers: last
                values[position] = vectors
        if not tokens:
            return {"sentence": Block.of(self._scaled(np.stack(values).astype(np.float32)))}
        sentences = np.stack([_array(text["sentence_embedding"]) for text in values])
        marks = [_array(text["attention_mask"]).astype(bool) for text in values]
        vectors = [
            _array(text["token_embeddings"])[mark] for text, mark in zip(values, marks, strict=True)
        ]
        return {
            "sentence": Block.of(self._scaled(sentences)),
            "tokens": sequences(vectors, longest),
        }

    def _batches(self, net: SentenceTransformer, piece: Piece) -> Iterator[Batch]:
        """Full batches of one class of lengths each, padded to its end.

        Further texts fill the last one of a class. They take most of the time of a few texts, and
        are left out where the encoder need not be `exact`.
        """
        lengths = [len(tokens) for tokens in self._token_ids(net, piece.texts, cut=True)]
        by_class: dict[int, list[int]] = {}
        for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
            end = _class_of(lengths[position], net.max_seq_length)
            by_class.setdefault(end, []).append(position)
        done, at_once = 0, TOKENS_AT_ONCE["cpu" if net.device.type == "cpu" else "accelerator"]
        for end, positions in by_class.items():
            size = max(2, at_once // end)
            for start in range(0, len(positions), size):
                chosen = positions[start : start + size]
                texts = [piece.texts[position] for position in chosen]
                if self.exact:
                    texts += [FILLER] * (size - len(chosen))
                yield Batch(chosen, texts, padded_to(net, end) if self.exact else {})
                done += len(chosen)
                piece.advance(done)

    def _scaled(self, vectors: FloatArray) -> FloatArray:
        return unit_rows(vectors) if self.normalise else vectors

    def _net(self) -> SentenceTransformer:
        return loaded(
            model_folder(self.model), self.max_tokens, chosen_precision(self.precision).name
        )

    def counts(
        self, samples: Sequence[str], values: scipy.sparse.csr_matrix | None = None
    ) -> dict[str, int]:
        """Empty texts, and those that are longer than the model reads."""
        net = self._net()
        longest = net.max_seq_length
        cut = (
            sum(len(tokens) > longest for tokens in self._token_ids(net, samples, cut=False))
            if longest
            else 0
        )
        return {"empty texts": sum(not text.strip() for text in samples), "texts cut off": cut}

    def unfit(self, samples: Sequence[str]) -> str | None:
        """Texts in another script than an English model has learned from."""
        if Path(self.model).name not in self.english:
            return None
        return foreign_remark(samples, f"take a multilingual model, model: {self.multilingual} say")

    def tokens(self, samples: Sequence[str]) -> list[list[str]]:
        """The word pieces of each text as the model reads them, with its start and end marks."""
        net = self._net()
        tokenizer: Any = net.tokenizer
        return [list(map(str, tokenizer.convert_ids_to_tokens(ids)))
                for ids in self._token_ids(net, samples, cut=True)]

    def _token_ids(
        self, net: SentenceTransformer, samples: Sequence[str], cut: bool
    ) -> Iterator[list[int]]:
        """Numbers of each text's tokens, all or as many as the model reads, text by text."""
        tokenizer: Any = net.tokenizer
        for start in range(0, len(samples), PIECE_WITH_TOKENS):
            texts = valid_texts(samples[start : start + PIECE_WITH_TOKENS])
            prompted = [self.prompt + text for text in texts]
            yield from tokenizer(
                prompted,
                truncation=cut,
                max_length=net.max_seq_length if cut else None,
                verbose=False,
            )["input_ids"]


class Piece(NamedTuple):
    """Texts that are encoded together.

    Parameters
    ----------
    start : texts of the same pass that were encoded before.
    total : texts of the pass, for how far it is.
    """

    texts: list[str]
    start: int
    total: int

    def advance(self, done: int) -> None:
        """Tell that so many of these texts are encoded."""
        advance(min(self.start + done, self.total), self.total, "samples")


class Batch(NamedTuple):
    """Texts that are computed at once.

    Parameters
    ----------
    positions : of the first of them in their piece; further ones fill the batch.
    padding : what the library is told of it.
    """

    positions: list[int]
    texts: list[str]
    padding: dict[str, Any]


def padded_to(net: SentenceTransformer, length: int) -> dict[str, Any]:
    """What tells the library to pad texts to so many tokens; nothing where the model has its way.

    Such are those that pad all texts to their full length, and those that know no padding.
    """
    if getattr(net[0], "processing_kwargs", None) != {}:
        return {}
    return {"processing_kwargs": {"text": {"padding": "max_length", "max_length": length}}}


def _class_of(length: int, most: int | None) -> int:
    """The end of the class of lengths: steps of an eighth to a quarter, no more than is read."""
    step = max(8, 1 << max(0, (length - 1).bit_length() - 3))
    end = -(-length // step) * step
    return end if most is None else min(end, int(most))


def _array(tensor: Any) -> FloatArray:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)


def _first(block: Block, samples: int) -> Block:
    return Block.of(block.values[:samples], None if block.mask is None else block.mask[:samples])


def sequences(tokens: Sequence[FloatArray], longest: int) -> Block:
    """Token vectors of each text in order, with their mask, for the `longest` of all texts."""
    values = np.zeros((len(tokens), longest, tokens[0].shape[1]), dtype=np.float32)
    mask = np.zeros((len(tokens), longest), dtype=bool)
    for position, vectors in enumerate(tokens):
        values[position, :len(vectors)] = vectors
        mask[position, :len(vectors)] = True
    return Block.of(values, mask)
