"""What attention models looked at: regions and words of rows, the picture's weight by class."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from reports.follow_up_record import AttentionRecord, MatchRecord
from reports.record import RunRecord
from reports.section import Section
from reports.wording import clean, listed, short

# What tokenizers put around a text, or fill it up with: BERT's, SentencePiece's and CLIP's.
_MARKS = re.compile(
    r"\[(?:CLS|SEP|PAD|MASK|BOS|EOS)\]|<(?:/?s|pad|mask|cls|sep|bos|eos)>"
    r"|<(?:\|?(?:start|end)_?of_?text\|?)>"
)
_CONTINUES = "##"  # begins a piece that goes on with the word before it
HEAVIEST = 3  # words and regions named in the sentence under a row
FULL = 4  # times an even share that is shown as strong as can be: even weights look pale


@dataclass(frozen=True)
class Part:
    """A region or word: its name, its weight, and how strongly to show it, from 0 to 1."""

    name: str
    weight: float
    strength: float


@dataclass(frozen=True)
class Match:
    """One row.

    Parameters
    ----------
    picture : data URI of what the regions cover; None where they cover the whole picture.
    side : regions stand in side x side places, row by row; None where they are no square of them.
    regions, words : weights add up to 1 each; no words where the encoder cannot name them, and
        none of the marks that a tokenizer adds. Pieces of a word count together.
    marks : share of all weight that lay on such marks.
    sentence : the heaviest of both in words.
    """

    row: int
    id: str
    label: str
    predicted: str
    probability: float
    right: bool
    picture: str | None
    side: int | None
    regions: tuple[Part, ...]
    words: tuple[Part, ...]
    marks: float
    sentence: str


@dataclass(frozen=True)
class Gate:
    """Mean weight of the picture over a class's rows; the rest is the text's."""

    name: str
    weight: float
    rows: int


@dataclass(frozen=True)
class AttentionFacts:
    """The best model that attends to pairs, and the best gated one; None where there is none."""

    cell: str | None
    matches: tuple[Match, ...]
    gated_cell: str | None
    gates: tuple[Gate, ...]

    @property
    def marks(self) -> float | None:
        """Mean share of the weight on a tokenizer's marks; None where none lay there."""
        shares = [match.marks for match in self.matches if match.words]
        return fmean(shares) if any(shares) else None


def facts(record: RunRecord) -> AttentionFacts | None:
    """Rows of the attention model, and classes by the gated model's weights; None without both."""
    pairs = next((model for model in record.attention if model.matches), None)
    gated = next((model for model in record.attention if model.picture_weights is not None), None)
    if pairs is None and gated is None:
        return None
    return AttentionFacts(
        pairs.cell if pairs else None,
        tuple(_match(record, match) for match in pairs.matches) if pairs else (),
        gated.cell if gated else None,
        _gates(record, gated) if gated else (),
    )


def _match(record: RunRecord, match: MatchRecord) -> Match:
    of_regions, of_words = match.alpha.sum(axis=1), match.alpha.sum(axis=0)
    side = isqrt(len(of_regions))
    square = side if side > 1 and side * side == len(of_regions) else None
    regions = _parts([_region(position, square) for position in range(len(of_regions))], of_regions)
    words, marks = _words(match.tokens, of_words) if match.tokens else ((), 0.0)
    predicted, label = int(match.probabilities.argmax()), int(record.labels[match.row])
    return Match(
        match.row,
        record.ids[match.row],
        record.classes[label],
        record.classes[predicted],
        float(match.probabilities[predicted]),
        predicted == label,
        _data_uri(match.picture),
        square,
        regions,
        words,
        marks,
        _sentence(regions, words),
    )


def _words(
    tokens: Sequence[str], weights: NDArray[np.float64]
) -> tuple[tuple[Part, ...], float]:
    """Words of a text with their weights, which add up to 1; and what lay on a tokenizer's marks.

    Parameters
    ----------
    tokens : t pieces of words, and marks.
    weights : (t,), which add up to 1.
    """
    names: list[str] = []
    sums: list[float] = []
    marks = 0.0
    for token, weight in zip(tokens, weights, strict=True):
        if _MARKS.fullmatch(token):
            marks += float(weight)
        elif token.startswith(_CONTINUES) and names:
            names[-1] += clean(token.removeprefix(_CONTINUES))
            sums[-1] += float(weight)
        else:
            names.append(clean(token) or "(no known word)")
            sums.append(float(weight))
    shares = np.array(sums) / (sum(sums) or 1.0)
    return (_parts(names, shares) if names else ()), marks


def _region(position: int, side: int | None) -> str:
    """A region's name, by row and column where regions stand in a square."""
    if side is None:
        return f"region {position + 1}"
    return f"row {position // side + 1}, column {position % side + 1}"


def _parts(names: Sequence[str], weights: NDArray[np.float64]) -> tuple[Part, ...]:
    most = max(float(weights.max()), min(1.0, FULL / len(weights)))
    return tuple(
        Part(name, float(weight), float(weight) / most)
        for name, weight in zip(names, weights, strict=True)
    )


def _sentence(regions: Sequence[Part], words: Sequence[Part]) -> str:
    """The heaviest words and regions, with what an even share would be."""
    clauses = []
    for kind, parts in (("words", words), ("regions", regions)):
        if len(parts) > 1:
            heaviest = sorted(parts, key=lambda part: -part.weight)[:HEAVIEST]
            named = listed(
                f"{_quoted(kind, part.name)} ({100 * part.weight:.0f} %)" for part in heaviest
            )
            clauses.append(f"Heaviest {kind}: {named}; an even share is {100 / len(parts):.0f} %.")
    return " ".join(clauses)


def _quoted(kind: str, name: str) -> str:
    return f"“{name}”" if kind == "words" else name


def _data_uri(picture: bytes | None) -> str | None:
    return (
        None if picture is None else f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    )


def _gist(attended: AttentionFacts) -> str:
    """Which models are shown."""
    kinds = (("regions and words", attended.cell), ("the picture's weight", attended.gated_cell))
    return "; ".join(f"{what} of {short(cell)}" for what, cell in kinds if cell)


def _gates(record: RunRecord, gated: AttentionRecord) -> tuple[Gate, ...]:
    """Classes by the picture's weight, the heaviest first."""
    assert gated.rows is not None
    assert gated.picture_weights is not None
    labels, weights = record.labels[gated.rows], gated.picture_weights
    gates = [
        Gate(
            record.classes[code], float(weights[labels == code].mean()), int(np.sum(labels == code))
        )
        for code in np.unique(labels)
    ]
    return tuple(sorted(gates, key=lambda gate: -gate.weight))


SECTION = Section("What was attended to", facts, collapsed=True, gist=_gist)
