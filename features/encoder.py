"""The encoder contract: samples of one modality in, a Block out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import Block, Form, IntArray, Modality, TrainableNetwork, Unfreeze
from features.estimator import Estimator


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


class Encoder(Estimator):
    """Turns samples of one modality into a Block.

    Subclass it, and register the class in `features`. A subclass is a keyword dataclass whose
    fields are its parameters (typed, with defaults: the grid is validated against them). A learned
    encoder is fitted on training samples only. `transform` must not depend on the order, number or
    batching of the samples it is given together.

    Attributes
    ----------
    modality : which samples it takes: "image" (encoded picture files as bytes) or "text" (str).
    version : raised whenever the output changes for the same parameters and weights.
    forms : maps "pooled" and, where the encoder has regions or tokens, "sequence" to the value of
        its `output` parameter that gives it; likewise "inputs" where it has a network that can be
        trained with what is built on it: what that network takes, see `network`. Encoders without
        `output` have {"pooled": None}.
    exact : set to False on an encoder whose features are wanted soon, rather than the same to the
        bit whatever samples stand beside them: they may then differ in their last digits.
    """

    modality: ClassVar[Modality]
    version: ClassVar[int]
    forms: ClassVar[dict[Form, str | None]] = {"pooled": None}
    exact = True  # no annotation: it is no parameter

    @property
    def learns(self) -> bool:
        """Whether `fit` learns from the samples (then it must see training rows only)."""
        return False

    @property
    def supervised(self) -> bool:
        """Whether it learns from labels too: `fit_supervised` then fits it, not `fit`."""
        return False

    @property
    def augmented(self) -> int:
        """How many augmented copies of each sample the block holds: see Block.augmented."""
        return 0

    @property
    def averaged(self) -> bool:
        """Whether predictions are averaged over the plain sample and its copies."""
        return False

    @property
    def shared_space(self) -> str | None:
        """The space that its pooled vectors share with those of another modality, by its name.

        Vectors of encoders that give the same name can be compared by their cosine, with nothing
        learned; None for an encoder whose vectors lie in a space of their own, as most do. It is
        asked before any weights are there.
        """
        return None

    def identity(self) -> dict[str, Any]:
        """What decides the output beyond the parameters, as JSON: weights' hash, versions."""
        return {}

    def frozen_stage(self) -> Encoder | None:
        """The frozen encoder on whose features this one learns.

        None where it learns from the samples themselves. The pipeline encodes all samples with it
        once, and gives rows of what is stored to `fit_features` and `transform_features` of every
        fold. With a frozen stage, `fit` and `transform` are these two on its features, or have the
        same result.
        """
        return None

    def fit_features(self, features: Block, targets: Targets | None = None) -> Self:
        """Learn from the frozen stage's features of the training samples.

        Parameters
        ----------
        targets : their labels, where it is supervised.
        """
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
        """Whether its output is what its network takes, not features; it then learns nothing."""
        return "inputs" in self.forms and getattr(self, "output", None) == self.forms["inputs"]

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """The network that makes pooled features of its inputs (the form "inputs"), to be trained.

        Parameters
        ----------
        unfreeze : "last_stage" leaves the last quarter of a pretrained network's layers to be
            trained, "all" every layer. One that starts from scratch is trained whole.
        inputs : of the training samples, for a network that starts from their moments.

        Raises
        ------
        NotImplementedError
            By an encoder that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no network to train")

    def counts(
        self, samples: Sequence[Any], values: scipy.sparse.csr_matrix | None = None
    ) -> dict[str, int]:
        """What a reader should know of their encoding: how many were empty, cut off, unknown.

        Names are plural nouns ("texts without words") and read well after a number. Nothing by
        default. `values` are what the samples were encoded as, where they are sparse and at hand:
        they need not be encoded again.
        """
        return {}

    @property
    def by_sample(self) -> bool:
        """Whether what it gives for a sample may be kept for any data set that holds the sample.

        So it is where nothing is learned, nothing is drawn at random, and features come out.
        """
        return not (self.learns or self.augmented or self.gives_inputs)

    def unfit(self, samples: Sequence[Any]) -> str | None:
        """Why it cannot read these samples as it is set, with the remedy; None where it can.

        A clause that reads well after its name ("tfidf: ..."). It is asked before anything is
        encoded and learned, and looks at some of the samples only.
        """
        return None

    def tokens(self, samples: Sequence[Any]) -> list[list[str]]:
        """What stands at each position of the sequence form, a list of names for each sample.

        Raises
        ------
        NotImplementedError
            By an encoder whose sequence has no such names, as picture regions have none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no tokens")

    def shown(self, samples: Sequence[Any]) -> NDArray[np.uint8]:
        """What the sequence form covers of each picture, its regions row by row.

        Returns
        -------
        uint8 (m, height, width, 3)

        Raises
        ------
        NotImplementedError
            By an encoder whose regions cover the whole picture, or that has none.
        """
        raise NotImplementedError(f"{type(self).__name__} shows no part of a picture")

    def pieces(
        self, samples: Sequence[Any], outputs: Sequence[str | None]
    ) -> Iterator[dict[str | None, Block]]:
        """Blocks of consecutive samples, in order, for several values of the parameter `output`.

        Put together, the pieces are what `transform` gives for each output ([None] for an encoder
        without `output`), followed by the rows of their augmented copies. There is one piece at
        least. This plain form gives everything in one and encodes once for each output. An encoder
        whose samples need not be in memory together, or that gets all outputs from one pass,
        overrides it.
        """
        whole: dict[str | None, Block] = {}
        for output in outputs:
            encoder = self if output is None else copy(self).set_params(output=output)
            whole[output] = encoder.transform(samples)
        yield whole
