"""Estimates of what a job takes, against the job's own objects and arithmetic by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ewc_core.reinforcement.agent import Agent
from ewc_core.reinforcement.cost import estimate_cost
from ewc_core.reinforcement.games import frames_of
from ewc_core.specs import ReinforcementSpec

EXAMPLES = Path(__file__).parents[3] / "examples"


def _spec(**fields: Any) -> ReinforcementSpec:
    return ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [20]},
            "agent": {"preset": "small", "num_envs": 4, "replay_capacity": 1000, "min_history": 100},
            "method": {"kind": "ewc", "ewc_lambda": 1.0},
            "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": number} for number in range(3)],
            "schedule": {
                "kind": "explicit",
                "num_steps": 1000,
                "visits": [{"task": 0}, {"task": 1}, {"task": 0, "num_steps": 600}],
            },
            "evaluation": {"num_episodes": 5, "max_steps": 20, "exploration_epsilons": [0.05, 0.0]},
            **fields,
        }
    )


def test_frames_updates_and_days_follow_from_the_schedule() -> None:
    cost = estimate_cost(_spec(), frames_per_second=10.0)
    assert (cost.num_agents, cost.num_frames, cost.num_updates) == (1, 2600, 650)
    assert cost.days == pytest.approx(260 / 86_400)
    assert cost.max_evaluation_days == pytest.approx(3 * 3 * 5 * 2 * 20 / 10 / 86_400)


def test_controls_play_the_whole_schedule_too() -> None:
    one = estimate_cost(_spec(), frames_per_second=10.0)
    three = estimate_cost(_spec(controls=["naive", "l2"]), frames_per_second=10.0)
    assert three.days == pytest.approx(3 * one.days)
    assert three.replay_bytes == 3 * one.replay_bytes
    assert three.num_constraints == 2 * one.num_constraints
    assert three.num_frames == one.num_frames


def test_only_tasks_seen_so_far_are_evaluated_when_the_spec_says_so() -> None:
    spec = _spec(evaluation={"num_episodes": 1, "max_steps": 20, "tasks": "seen"})
    cost = estimate_cost(spec, frames_per_second=1.0)
    assert cost.max_evaluation_days == pytest.approx((1 + 2 + 2) * 20 / 86_400)


def test_memory_is_that_of_the_agents_own_objects() -> None:
    spec = _spec()
    agent = Agent(spec, "ewc", frames=frames_of(spec.tasks), max_replay_bytes=10**9, folder=None)
    replays = [agent.replays.of(task, num_steps={})[0] for task in (0, 1)]
    cost = estimate_cost(spec, frames_per_second=1.0)
    assert cost.replay_bytes == sum(replay.nbytes for replay in replays)
    assert cost.num_parameters == agent.learner.parameters.layout.num_parameters == 50 * 20 + 20 * 3 + 2 * (20 + 3)
    assert cost.fisher_bytes == cost.anchor_bytes == 2 * agent.learner.parameters.values.nbytes
    assert cost.total_bytes == cost.replay_bytes + cost.fisher_bytes + cost.anchor_bytes + cost.network_bytes


@pytest.mark.parametrize(("start", "num"), [(0, 2), (1000, 2), (1001, 1), (1601, 0)])
def test_only_tasks_played_for_long_enough_are_consolidated(start: int, num: int) -> None:
    method = {"kind": "ewc", "ewc_lambda": 1.0, "ewc_start_frames": start}
    assert estimate_cost(_spec(method=method), frames_per_second=1.0).num_constraints == num


def test_a_naive_job_stores_no_constraints() -> None:
    cost = estimate_cost(_spec(method={"kind": "naive"}), frames_per_second=1.0)
    assert (cost.num_constraints, cost.fisher_bytes, cost.anchor_bytes) == (0, 0, 0)


def test_independent_agents_have_a_network_per_task() -> None:
    plain, more = (estimate_cost(_spec(controls=kinds), frames_per_second=1.0) for kinds in ([], ["independent"]))
    vector = 4 * plain.num_parameters
    assert more.network_bytes - plain.network_bytes == 3 * 6 * vector


def test_the_papers_ten_games_stay_under_12_gib() -> None:
    spec = ReinforcementSpec.model_validate_json((EXAMPLES / "atari_10_games.json").read_bytes())
    cost = estimate_cost(spec, frames_per_second=1000.0)
    assert cost.num_constraints == 10
    assert cost.num_parameters == 6_555_648 + 2 * (32 + 64 + 128 + 1024 + 18)
    assert 4.5e8 < cost.num_frames < 6e8
    assert cost.total_bytes < 12 * 2**30
