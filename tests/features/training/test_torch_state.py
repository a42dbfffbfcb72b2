"""Torch's random state: seeded inside, untouched outside."""

from __future__ import annotations

import torch

from features.training.torch_state import generator_from_torch, seeded


def test_a_seed_holds_inside_and_the_state_outside_is_as_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with seeded(7):
        first = torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(7):
        assert torch.equal(torch.rand(2), first)
    with seeded(8):
        assert not torch.equal(torch.rand(2), first)


def test_numpys_generator_follows_torchs_state_and_moves_it_on():
    with seeded(1):
        first, second = (generator_from_torch().random() for _ in range(2))
    with seeded(1):
        assert generator_from_torch().random() == first != second
