"""The states that an agent meets in its games."""

from __future__ import annotations

import numpy as np
import torch

from ewc_core.reinforcement.environments.permuted import fixed_permutation
from ewc_core.reinforcement.target import GameTarget
from ewc_core.reinforcement.visited_states import visited_states
from tests.ewc_core.analysis.games import SPEC, learned_games


def _halves(num_states: int, *, task: int = 0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    target = GameTarget(SPEC, learned_games())
    target.select(task, field="")
    return visited_states(target, task, num_states=num_states, seed=seed)


def test_halves_have_as_many_states_as_were_wanted() -> None:
    for num_states in (2, 7, 300):
        first, second = _halves(num_states)
        assert (len(first), len(second)) == (num_states - num_states // 2, num_states // 2)
        assert first.shape[1:] == (1, 10, 5)


def test_the_same_seed_meets_the_same_states_and_another_one_others() -> None:
    first, again, other = (_halves(100, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_states_come_from_all_parts_of_episodes_alike() -> None:
    """A ball of Catch falls by one row a step; states before each of the 9 moves are as many."""
    states = torch.cat(_halves(900)).numpy().reshape(900, 50)
    unshuffled = np.empty_like(states)
    unshuffled[:, fixed_permutation(1, "entries", 50)] = states
    rows = unshuffled.reshape(900, 10, 5)[:, :9].any(axis=2).argmax(axis=1)
    counts = np.bincount(rows, minlength=9)
    assert counts.sum() == 900
    assert counts.min() > 60
    assert counts.max() < 140


def test_the_agent_meets_what_its_own_play_leads_to() -> None:
    """A good player stands below the ball in the end; the second game's biases and gains lead elsewhere."""
    own, foreign = torch.cat(_halves(200)), torch.cat(_halves(200, task=1))
    assert not torch.equal(own.float().mean(0), foreign.float().mean(0))
