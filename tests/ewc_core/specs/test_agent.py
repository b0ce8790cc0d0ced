"""Hyper-parameters of agents and their presets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.specs.agent import AgentSpec, QFisherSpec, check_replay_memory, replay_bytes, replay_margin


def test_the_preset_paper_has_the_values_of_table_s2() -> None:
    agent = AgentSpec(preset="paper")
    assert (agent.history, agent.batch_size, agent.replay_period) == (4, 32, 4)
    assert (agent.discount, agent.reward_clip, agent.td_clip, agent.max_gradient_norm) == (0.99, 1.0, 1.0, 50.0)
    assert (agent.optimiser, agent.learning_rate, agent.rms_decay) == ("rmsprop_centred", 2.5e-4, 0.95)
    assert agent.rms_eps == 0.01 / 32**2  # the loss is a mean over 32 where the paper's is a sum
    assert (agent.replay_capacity, agent.target_update_period, agent.min_history) == (50_000, 7_500, 50_000)
    exploration = agent.exploration
    assert (exploration.initial, exploration.final) == (1.0, 0.01)
    assert (exploration.start_steps, exploration.end_steps) == (50_000, 1_050_000)


def test_fields_that_are_given_win_over_the_preset() -> None:
    agent = AgentSpec(preset="small", learning_rate=0.01, optimiser="rmsprop_centred")
    assert (agent.learning_rate, agent.num_envs, agent.optimiser) == (0.01, 8, "rmsprop_centred")
    assert (agent.rms_decay, agent.rms_eps) == (0.95, 0.01 / 32**2)


def test_what_is_written_of_a_spec_reads_as_the_same_spec() -> None:
    for agent in (AgentSpec(), AgentSpec(preset="paper"), AgentSpec(preset="small", num_envs=3)):
        assert AgentSpec.model_validate_json(agent.model_dump_json()) == agent


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preset": "large"}, "preset"),
        ({"preset": ["paper"]}, "preset"),
        ({"rms_eps": None}, "rms_eps is needed by optimiser"),
        ({"min_history": 60_000}, "learning would never begin"),
        ({"replay_capacity": 10, "min_history": 2, "num_envs": 6}, "num_envs 6"),
        ({"exploration": {"start_steps": 10, "end_steps": 5}}, "comes before"),
        ({"discount": 1.0}, "discount"),
        ({"history": 0}, "history"),
    ],
)
def test_values_that_do_not_belong_together_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AgentSpec.model_validate(fields)


def test_a_temperature_belongs_to_the_policy() -> None:
    assert QFisherSpec(kind="policy", temperature=0.5).temperature == 0.5
    with pytest.raises(ValidationError, match="has no effect"):
        QFisherSpec(kind="gaussian_taken", temperature=0.5)


def test_a_replay_of_the_papers_takes_every_frame_once_and_an_eighth_more() -> None:
    size = replay_bytes(AgentSpec(preset="paper"), frame_bytes=84 * 84)
    assert size == (50_000 + replay_margin(50_000)) * (84 * 84 + 7)
    assert size < 1.15 * 50_000 * 84 * 84


def test_replays_beyond_the_bound_are_refused_with_the_numbers() -> None:
    agent = AgentSpec(replay_capacity=100, min_history=10, replay_memory_bytes=10**6)
    each = replay_bytes(agent, frame_bytes=993)
    assert each == (100 + 256) * 1000
    check_replay_memory(agent, frame_bytes=993, num_tasks=2, num_agents=1)
    with pytest.raises(ValueError, match=rf"agent\.replay_memory_bytes: 3 tasks of 1 agents .* {each} .* {3 * each} .* 1000000"):
        check_replay_memory(agent, frame_bytes=993, num_tasks=3, num_agents=1)
