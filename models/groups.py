"""Estimators whose results depend on the groups of their training samples."""

from __future__ import annotations


class UsesGroups:
    """A fusion or a classifier that holds whole groups of training samples out, inside its own fit.

    The groups (Views.groups, ArrayFit.groups) then decide what it predicts. A fusion depends on
    them through its classifier too, where that is one of these.
    """
