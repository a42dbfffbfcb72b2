"""A small VGG, trained from scratch on the training pictures of each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.encoders.small_cnn import Count, Positive, SmallCNN

if TYPE_CHECKING:
    from features.networks.small import SmallNetwork


@dataclass(kw_only=True, eq=False, repr=False)
class SmallVGG(SmallCNN):
    """VGG for pictures of 32 pixels (Simonyan and Zisserman 2015); parameters: SmallCNN.

    Five stages of convolutions with batch normalisation, halved by pooling in between (regions: 4),
    and a linear classifier in place of the dense layers. At depth 11 and width 64 it has 9.2
    million weights.
    """

    depth: Literal[11, 13, 16] = 11
    width: Count = 64
    learning_rate: Positive = 0.05

    def _built(self, classes: int) -> SmallNetwork:
        from features.networks.small import vgg

        return vgg(self.depth, self.width, classes)
