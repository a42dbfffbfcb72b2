"""How rows and their classes are numbered."""

from __future__ import annotations

from typing import TypeAlias

from features.block import IntArray

Rows: TypeAlias = IntArray  # positions (n,) in a data set
Labels: TypeAlias = IntArray  # codes (n,) of classes, -1 where a row has none
Groups: TypeAlias = IntArray  # codes (n,) of what never straddles folds
