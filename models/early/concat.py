"""Early fusion: the pooled blocks side by side, classified as one array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from features.block import Form, Modality
from models.classifier import Whole
from models.early.side_by_side import SideBySide
from models.preparation.scaling import BlockScaler, ReducedScaler, Scaler


@dataclass(kw_only=True, eq=False, repr=False)
class Concat(SideBySide):
    """Early fusion: [sqrt(1 - w) a, sqrt(w) b] for scaled picture features a and text features b.

    Both blocks have mean squared norm 1 over the training rows (BlockScaler), so their
    concatenation has it for every weight, and C need not change with the weight. With equal shares
    the better modality can be drowned by the other, so the weight is chosen on the inner folds; at
    0 and at 1 one modality is left by itself, which is preferred where the other one gains no more
    than a standard error: a useless modality costs nothing. Where a modality has several encoders,
    their blocks share its part (SideBySide).

    Parameters
    ----------
    classifier : what classifies the concatenated rows.
    weight : the text's share w of the squared norm.
    encoder_shares : see SideBySide.
    components : reduce each wider block to this many principal components first (CSR by truncated
        singular value decomposition, without making it dense); none where not given.
    """

    version: ClassVar[int] = 1
    needs: ClassVar[dict[Modality, Form]] = {"image": "pooled", "text": "pooled"}
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"weight": (0.0, 0.25, 0.5, 0.75, 1.0)}
    after_preparation: ClassVar[frozenset[str]] = frozenset({"weight", "encoder_shares"})

    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    components: Whole | None = None

    @classmethod
    def is_simple(cls, setting: Mapping[str, Any]) -> bool:
        """See Fusion.is_simple: one modality by itself, unless the other one shows its worth."""
        return setting.get("weight") in (0.0, 1.0)

    @classmethod
    def _uses(cls, modality: Modality, setting: Mapping[str, Any]) -> bool:
        return setting.get("weight") != (0.0 if modality == "text" else 1.0)

    def _scaler(self) -> Scaler:
        return BlockScaler() if self.components is None else ReducedScaler(self.components)

    def _share(self, modality: Modality) -> float:
        return self.weight if modality == "text" else 1 - self.weight
