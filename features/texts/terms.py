"""Which words and phrases of the training texts are terms: the kinds of such parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _ordered(ngrams: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= ngrams[0] <= ngrams[1]:
        raise ValueError(
            f"ngrams are the shortest and longest phrase, 1 <= shortest <= longest, not {ngrams}"
        )
    return ngrams


Ngrams = Annotated[tuple[int, int], AfterValidator(_ordered)]


def _count_or_share(least: float) -> float:
    """A whole number of texts, or a share of them below 1."""
    if least < 1:
        return least
    if least != int(least):
        raise ValueError(
            f"min_df is a whole number of texts or a share of them below 1, not {least}"
        )
    return int(least)


MinDf = Annotated[float, Field(gt=0), AfterValidator(_count_or_share)]
MaxDf = Annotated[float, Field(gt=0, le=1)]
