"""Pooled blocks side by side, where a modality may have several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar

from features.block import BlockName, Modality, modality_of
from models.early.pooled import PooledFusion

TIMES = 3  # what a step makes of the odds of a block
DIGITS = 9


@dataclass(eq=False, repr=False)
class SideBySide(PooledFusion):
    """Joins [sqrt(s_1) x_1, sqrt(s_2) x_2, ...] of scaled blocks x_b; the shares s_b add up to 1.

    A block's share is that of its modality times its part of it. Encoders that see the same texts
    differently (the words, the meaning) are rarely worth the same, so the parts are chosen on the
    inner folds, by steps downhill: all that is tuned is first chosen under equal parts; from there
    each encoder in turn is given three times as much beside the others, and what scores best is
    where the next steps start, until none is better. At each step the classifier's strengths
    next to the best one are tried again: what suits equal parts may be far from what suits the last
    ones (glosses of CIFAR-10, where TF-IDF tells little: C 30 and 2,430; benchmarks.several). With
    one encoder of each modality there is nothing to choose.

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
        """See Fusion.tuned_with; here equal parts, where the steps start."""
        if max(encoders.values(), default=1) < 2:
            return {}
        equal = tuple(chain.from_iterable((1 / count,) * count for count in encoders.values()))
        return {"encoder_shares": (equal,)}

    @classmethod
    def steps_from(
        cls, setting: Mapping[str, Any], encoders: Mapping[Modality, int]
    ) -> list[dict[str, Any]]:
        """See Fusion.steps_from; here each encoder in turn weighs TIMES as much as before."""
        further, first = list[dict[str, Any]](), 0
        parts = setting.get("encoder_shares", ())
        for modality, count in encoders.items():
            if count > 1 and cls._uses(modality, setting):
                before, after = parts[:first], parts[first + count:]
                for favoured in range(count):
                    changed = _favouring(parts[first:first + count], favoured)
                    further.append({**setting, "encoder_shares": (*before, *changed, *after)})
            first += count
        return further

    @classmethod
    def _uses(cls, modality: Modality, setting: Mapping[str, Any]) -> bool:
        """Whether a modality has a share under a setting."""
        return True

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


def _favouring(parts: Sequence[float], favoured: int) -> tuple[float, ...]:
    """Parts in which a block weighs TIMES as much beside the others, adding up to 1.

    Rounded, so that a step there and back leads to where it began.
    """
    weighed = [part * (TIMES if at == favoured else 1) for at, part in enumerate(parts)]
    return tuple(round(part / sum(weighed), DIGITS) for part in weighed)
