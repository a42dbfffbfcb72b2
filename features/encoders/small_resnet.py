"""A small ResNet, trained from scratch on the training pictures of each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.encoders.small_cnn import Count, Positive, SmallCNN

if TYPE_CHECKING:
    from features.networks.small import SmallNetwork


@dataclass(kw_only=True, eq=False, repr=False)
class SmallResNet(SmallCNN):
    """ResNet for pictures of 32 pixels (He et al. 2016); parameters: SmallCNN.

    Of depth 6n + 2: a convolution and three stages of n residual blocks, their maps 32, 16 and 8
    pixels wide (regions: 64). With 64 channels in the end it has 0.27 million weights at depth 20.
    """

    depth: Literal[8, 14, 20, 32, 44, 56] = 20
    width: Count = 16
    learning_rate: Positive = 0.1

    def _built(self, classes: int) -> SmallNetwork:
        from features.networks.small import resnet

        return resnet(self.depth, self.width, classes)
