"""Intervals in words."""

from __future__ import annotations

from reports.analysis.standing import Spread
from reports.wording import NONE, Ends, figure, signed_end


def plus_minus(score: Spread) -> str:
    """Mean ± standard deviation over folds."""
    spread = f" ± {figure(score.deviation)}" if score.deviation is not None else ""
    return figure(score.mean) + spread


def between(interval: Ends) -> str:
    """The ends of a difference's interval, as "+0.011 to +0.024"; a dash without them."""
    if interval.low is None:
        return NONE
    return f"{signed_end(interval.low)} to {signed_end(interval.high)}"


def ends(interval: Ends | None) -> str:
    """The ends of a score's interval, as "0.611 to 0.624"; a dash without them."""
    if interval is None or interval.low is None:
        return NONE
    return f"{figure(interval.low)} to {figure(interval.high)}"
