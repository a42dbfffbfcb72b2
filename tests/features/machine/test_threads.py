"""Threads work a little ahead, in order."""

from __future__ import annotations

from features.machine.threads import ordered


def test_ordered_begins_only_a_few_items_ahead_and_keeps_their_order() -> None:
    begun: list[int] = []
    made = ordered(lambda item: begun.append(item) or item * item, range(50), workers=3, ahead=4)
    for position, square in enumerate(made):
        assert square == position * position
        assert len(begun) <= position + 1 + 4
    assert sorted(begun) == list(range(50))
