"""How often an agent acts at random."""

from __future__ import annotations

import pytest
import torch

from ewc_core.reinforcement.exploration import choose_actions, exploration_epsilon
from ewc_core.specs.agent import AgentSpec, ExplorationSpec


@pytest.mark.parametrize(("num_steps", "expected"), [(0, 1.0), (50_000, 1.0), (550_000, 0.505), (1_050_000, 0.01), (10**8, 0.01)])
def test_the_paper_falls_from_1_at_50_000_steps_to_a_hundredth_at_1_050_000(num_steps: int, expected: float) -> None:
    assert exploration_epsilon(AgentSpec(preset="paper").exploration, num_steps) == pytest.approx(expected)


def test_a_step_down_instead_of_a_slope_is_no_division_by_zero() -> None:
    spec = ExplorationSpec(initial=1.0, final=0.1, start_steps=10, end_steps=10)
    assert [exploration_epsilon(spec, steps) for steps in (10, 11)] == [1.0, 0.1]


def test_without_exploration_the_best_action_is_taken_and_with_it_every_one_alike() -> None:
    random = torch.Generator().manual_seed(0)
    q_values = torch.tensor([[0.0, 1.0, 0.5]]).expand(9000, 3)
    assert (choose_actions(q_values, 0.0, random) == 1).all()
    counts = torch.bincount(torch.from_numpy(choose_actions(q_values, 1.0, random)), minlength=3)
    assert ((counts - 3000).abs() < 4 * (9000 * 2 / 9) ** 0.5).all()
