"""Pooled blocks side by side, where a modality may have several."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from features.block import BlockName, Modality, modality_of
from models.early.pooled import PooledFusion

TIMES = 3  # what the block that is given more weighs, and another of its modality does not


@dataclass(eq=False, repr=False)
class SideBySide(PooledFusion):
    """Joins [sqrt(s_1) x_1, sqrt(s_2) x_2, ...] of scaled blocks x_b; the shares s_b add up to 1.

    A block's share is that of its modality times its part of it. Encoders that see the same texts
    differently (the words, the meaning) are rarely worth the same, so the parts are chosen on the
    inner folds, together with all that is tuned: equal ones, or of n encoders each in turn three
    times as much as any other, 3/4 and 1/4 of two. With one encoder of each modality there is
    nothing to choose.

    Parameters
    ----------
    classifier : what classifies the rows.
    encoder_shares : part of its modality's share that each block has, pictures first, adding up to
        1 in a modality; empty: equal ones.
    """

    takes_several: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = frozenset({"encoder_shares"})
    after_preparation: ClassVar[frozenset[str]] = frozenset({"encoder_shares"})

    encoder_shares: tuple[float, ...] = field(default=(), kw_only=True)

    @classmethod
    def tuned_with(cls, encoders: Mapping[Modality, int]) -> dict[str, tuple[Any, ...]]:
        """See Fusion.tuned_with."""
        if max(encoders.values(), default=1) < 2:
            return {}
        parts = itertools.product(*(_candidates(count) for count in encoders.values()))
        return {"encoder_shares": tuple(tuple(itertools.chain(*part)) for part in parts)}

    def _share(self, modality: Modality) -> float:
        """A modality's share of the squared norm, over all of its blocks."""
        raise NotImplementedError

    def shares(self) -> dict[BlockName, float]:
        """See PooledFusion.shares."""
        names = list(self.scalers_)
        counts = Counter(map(modality_of, names))
        parts = self.encoder_shares or tuple(1 / counts[modality_of(name)] for name in names)
        if len(parts) != len(names):
            raise ValueError(
                f"encoder_shares has {len(parts)} shares for {len(names)} blocks: "
                f"{', '.join(names)}"
            )
        return {
            name: part * self._share(modality_of(name))
            for name, part in zip(names, parts, strict=True)
        }


def _candidates(count: int) -> list[tuple[float, ...]]:
    """Parts of so many blocks: equal, then each in turn with TIMES as much as another."""
    if count == 1:
        return [(1.0,)]
    more, less = TIMES / (count + TIMES - 1), 1 / (count + TIMES - 1)
    return [
        (1 / count,) * count,
        *(
            tuple(more if at == favoured else less for at in range(count))
            for favoured in range(count)
        ),
    ]
