"""The encoder contract, and Block: one modality's features for a set of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.estimator import Estimator

if TYPE_CHECKING:
    from torch import nn

Modality = Literal["image", "text"]
Form = Literal["pooled", "sequence", "inputs"]
Unfreeze = Literal["last_stage", "all"]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Block:
    """Features of one modality for n samples.

    Identical samples are encoded once, so `values` holds the m distinct ones and `index` says which of
    them each sample is. Slicing moves only the index: memory-mapped values stay on disk. Behind the m
    plain ones, `values` may hold augmented views of them, which nothing sees unless it asks for a view.

    Parameters
    ----------
    values : float32 (m, d), CSR float32 (m, d), or float32 (m, t, d)
        Pooled vectors, sparse vectors, or sequences (picture regions, text tokens). With `encoder`, what its
        network takes instead, of any type: pixels (m, h, w, 3), or numbers of tokens (m, t).
    index : int64 (n,)
        Row of `values` for each sample; -1 where the sample lacks this modality.
    mask : bool (m, t), optional
        Sequences only: True where a region or token exists.
    augmented : k
        Augmented views of each sample: `values` (and `mask`) then have m (1 + k) rows, first the m plain
        ones, then view 1 of each, and so on.
    averaged : whether predictions are averaged over the plain sample and its views.
    encoder : the encoder whose network takes the values; None for features. See Encoder.network.
    digest : tells the values by their content, where that is known: they are equal where it is.
    """

    values: NDArray[Any] | sparse.csr_matrix
    index: IntArray
    mask: BoolArray | None = None
    augmented: int = 0
    averaged: bool = False
    encoder: Encoder | None = None
    digest: str | None = None

    @classmethod
    def of(
        cls, values: NDArray[Any] | sparse.csr_matrix, mask: BoolArray | None = None, encoder: Encoder | None = None
    ) -> Block:
        """Block whose samples are the rows of `values`, one by one."""
        return cls(values, np.arange(values.shape[0], dtype=np.int64), mask, encoder=encoder)

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 and self.encoder is None:
            raise TypeError(f"Block values must be float32, not {self.values.dtype}")
        if (self.mask is not None) != self.is_sequence:
            raise ValueError("a sequence block needs a mask (m, t), and only a sequence block has one")
        if self.mask is not None and self.mask.shape != self.values.shape[:2]:
            raise ValueError(f"mask {self.mask.shape} does not fit values {self.values.shape}")

    def __len__(self) -> int:
        return int(self.index.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether the values are a CSR matrix."""
        return bool(sparse.issparse(self.values))

    @property
    def is_sequence(self) -> bool:
        """Whether each sample is a sequence of vectors."""
        return len(self.values.shape) == 3

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self.values.shape[-1])

    @property
    def present(self) -> BoolArray:
        """Bool (n,): which samples have this modality."""
        return self.index >= 0

    def take(self, rows: NDArray[Any]) -> Block:
        """Block of the samples `rows` (positions or a boolean mask), copying no features."""
        return replace(self, index=self.index[rows])

    def at(self, positions: IntArray) -> Block:
        """Block whose samples are these rows of `values`, one by one; none is missing."""
        return replace(self, index=positions)

    def with_views(self) -> Block:
        """Block of the n samples as they are, then view 1 of each, and so on: n (1 + k) samples."""
        count = self.values.shape[0] // (1 + self.augmented)
        views = [np.where(self.present, self.index + view * count, -1) for view in range(1 + self.augmented)]
        return Block(self.values, np.concatenate(views), self.mask, encoder=self.encoder, digest=self.digest)

    def array(self) -> Any:
        """Pooled features (n, d), dense or CSR, or inputs (n, ...); a missing sample is a row of zeros.

        Raises
        ------
        TypeError
            For a sequence block, which has no single vector per sample.
        """
        if self.is_sequence:
            raise TypeError("a sequence block has no pooled array; use sequence()")
        if self.is_sparse:
            selector = sparse.csr_matrix(
                (self.present.astype(np.float32)[self.present],
                 (np.flatnonzero(self.present), self.index[self.present])),
                shape=(len(self), self.values.shape[0]),
            )
            return sparse.csr_matrix(selector @ self.values)
        rows = np.asarray(self.values[np.maximum(self.index, 0)]) if len(self.values) else self._zeros()
        rows[~self.present] = 0
        return rows

    def _zeros(self) -> NDArray[Any]:
        return np.zeros((len(self), *self.values.shape[1:]), dtype=self.values.dtype)

    def sequence(self) -> tuple[FloatArray, BoolArray]:
        """Values float32 (n, t, d) and mask bool (n, t); a pooled vector is a sequence of one.

        A missing sample has an all-False mask and zeros.
        """
        if not self.is_sequence:
            pooled: Any = self.array()
            dense: FloatArray = pooled.toarray() if self.is_sparse else pooled
            return dense[:, None, :], self.present[:, None].copy()
        assert self.mask is not None
        where = np.maximum(self.index, 0)
        if not len(self.values):
            return self._zeros(), np.zeros((len(self), self.values.shape[1]), dtype=bool)
        values, mask = np.asarray(self.values[where]), np.asarray(self.mask[where])
        mask = mask & self.present[:, None]
        values[~mask] = 0.0
        return values, mask


@dataclass(frozen=True, eq=False)
class Targets:
    """What a supervised encoder is told of its n training samples.

    Parameters
    ----------
    labels : int64 (n,), codes from 0 to K - 1, each of which occurs.
    groups : int64 (n,), where samples are grouped: who holds samples out holds out whole groups.
    """

    labels: IntArray
    groups: IntArray | None = None


class TrainableNetwork(NamedTuple):
    """The network behind an encoder, to be trained further with what is built on its features.

    Parameters
    ----------
    module : gives the pooled features (b, d) of inputs (b, ...), a tensor in the main memory; they come out on the
        module's own device. What shall be trained requires gradients. While it trains it may change its inputs at
        random (torch's random state decides); in evaluation mode each row is by itself, and a few rows at a time
        are computed, so that memory is bounded.
    width : d.
    pretrained : whether it comes with weights; else they are drawn from torch's random state.
    """

    module: nn.Module
    width: int
    pretrained: bool


class Encoder(Estimator):
    """Turns samples of one modality into a Block. Subclass it, and register the class in `features`.

    The constructor only stores its parameters (typed, with defaults: the grid is validated against
    them). A learned encoder is fitted on training samples only. `transform` must not depend on the
    order, number or batching of the samples it is given together.

    Attributes
    ----------
    modality : which samples it takes: "image" (encoded picture files as bytes) or "text" (str).
    version : raised whenever the output changes for the same parameters and weights.
    forms : maps "pooled" and, where the encoder has regions or tokens, "sequence" to the value of its
        `output` parameter that gives it; likewise "inputs" where it has a network that can be trained with what is
        built on it: what that network takes, see `network`. Encoders without `output` have {"pooled": None}.
    """

    modality: ClassVar[Modality]
    version: ClassVar[int]
    forms: ClassVar[dict[Form, str | None]] = {"pooled": None}

    @property
    def learns(self) -> bool:
        """Whether `fit` learns from the samples (then it must see training rows only)."""
        return False

    @property
    def supervised(self) -> bool:
        """Whether it learns from labels too: it is then fitted by `fit_supervised`, not by `fit`."""
        return False

    @property
    def augmented(self) -> int:
        """Augmented views k that the block holds of each sample behind the plain ones: see Block.augmented."""
        return 0

    @property
    def averaged(self) -> bool:
        """Whether predictions are averaged over the plain sample and its views."""
        return False

    def identity(self) -> dict[str, Any]:
        """Everything beyond the parameters that decides the output, as JSON: weights' hash, versions."""
        return {}

    def frozen_stage(self) -> Encoder | None:
        """The frozen encoder on whose features this one learns; None where it learns from the samples themselves.

        The pipeline encodes all samples with it once, and gives rows of what is stored to `fit_features` and
        `transform_features` of every fold. With a frozen stage, `fit` and `transform` are these two on its features,
        or have the same result.
        """
        return None

    def fit_features(self, features: Block, targets: Targets | None = None) -> Self:
        """Learn from the frozen stage's features of the training samples, and their labels where it is supervised."""
        raise NotImplementedError

    def transform_features(self, features: Block) -> Block:
        """Encode samples that the frozen stage has encoded."""
        raise NotImplementedError

    def fit(self, samples: Sequence[Any]) -> Self:
        """Learn from training samples; nothing to do for a frozen encoder."""
        stage = self.frozen_stage()
        return self if stage is None else self.fit_features(stage.transform(samples))

    def fit_supervised(self, samples: Sequence[Any], targets: Targets) -> Self:
        """Learn from training samples and their labels."""
        stage = self.frozen_stage()
        if stage is None:
            raise NotImplementedError
        return self.fit_features(stage.transform(samples), targets)

    def transform(self, samples: Sequence[Any]) -> Block:
        """Encode m samples; sample i of the block is samples[i]."""
        raise NotImplementedError

    @property
    def gives_inputs(self) -> bool:
        """Whether its output is what its network takes, and not features. It then learns nothing itself."""
        return "inputs" in self.forms and getattr(self, "output", None) == self.forms["inputs"]

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """The network that makes the pooled features of its inputs (the form "inputs"), to be trained.

        Parameters
        ----------
        unfreeze : "last_stage" leaves the last quarter of a pretrained network's layers to be trained, "all" every
            layer. One that starts from scratch is trained whole.
        inputs : of the training samples, for a network that starts from their moments.

        Raises
        ------
        NotImplementedError
            By an encoder that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no network to train")

    def counts(self, samples: Sequence[Any], values: sparse.csr_matrix | None = None) -> dict[str, int]:
        """What a reader should know of how these samples were encoded: how many were empty, cut off, unknown.

        Names are plural nouns ("texts without words") and read well after a number. Nothing by default. `values` are
        what the samples were encoded as, where they are sparse and at hand: they need not be encoded again.
        """
        return {}

    def tokens(self, samples: Sequence[Any]) -> list[list[str]]:
        """What stands at each position of the sequence form, one list for each sample, as a reader would write it.

        Raises
        ------
        NotImplementedError
            By an encoder whose sequence has no such names, as picture regions have none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no tokens")

    def shown(self, samples: Sequence[Any]) -> NDArray[np.uint8]:
        """What the sequence form covers of each picture, uint8 (m, height, width, 3), its regions row by row.

        Raises
        ------
        NotImplementedError
            By an encoder whose regions cover the whole picture, or that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} shows no part of a picture")

    def pieces(self, samples: Sequence[Any], outputs: Sequence[str | None]) -> Iterator[dict[str | None, Block]]:
        """Blocks of consecutive samples, in order, for several values of the parameter `output`.

        Put together, the pieces are what `transform` gives for each output ([None] for an encoder without
        `output`), followed by the rows of their augmented views. There is one piece at least. This plain form
        gives everything in one and encodes once for each output. An encoder whose samples need not be in memory
        together, or that gets all outputs from one pass, overrides it.
        """
        whole: dict[str | None, Block] = {}
        for output in outputs:
            encoder = self if output is None else copy(self).set_params(output=output)
            whole[output] = encoder.transform(samples)
        yield whole


def joined(blocks: Sequence[Block]) -> Block:
    """The samples of dense blocks of equal shape, one block after the other."""
    masks = [block.mask for block in blocks if block.mask is not None]
    return Block.of(np.concatenate([block.values for block in blocks]), np.concatenate(masks) if masks else None,
                    blocks[0].encoder)
