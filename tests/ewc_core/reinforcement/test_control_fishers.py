"""The two controls' Fishers."""

from __future__ import annotations

import pytest
import torch

from ewc_core.reinforcement.control_fishers import flattened, shuffled
from ewc_core.seeding import generator


def test_l2_and_shuffled_keep_the_trace_and_leave_what_is_not_shared_alone() -> None:
    fisher = {"w": torch.rand(40, 30, generator=generator(0)), "v": torch.rand(7, generator=generator(1)), "b": torch.zeros(2)}
    shared = ("w", "v")
    flat, moved = flattened(fisher, shared), shuffled(fisher, shared, seed=5)
    trace = sum(float(value.sum()) for value in fisher.values())
    for changed in (flat, moved):
        assert sum(float(value.sum()) for value in changed.values()) == pytest.approx(trace, rel=1e-5)
        assert torch.equal(changed["b"], fisher["b"])
    assert len({float(value) for name in shared for value in flat[name].flatten()}) == 1
    for name in shared:  # each layer keeps its own values, in other places
        assert torch.equal(moved[name].flatten().sort().values, fisher[name].flatten().sort().values)
        assert not torch.equal(moved[name], fisher[name])
