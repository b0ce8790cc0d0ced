"""Specs of reinforcement-learning jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.errors import SpecError
from ewc_core.specs.environments import GymnasiumTask
from ewc_core.specs.reinforcement import ReinforcementSpec, check_next_environment
from tests.ewc_core.reinforcement.jobs import CATCH, EWC, FLAT, job

EXAMPLE = Path(__file__).parents[3] / "examples" / "permuted_catch.json"


def test_the_example_of_permuted_catch_visits_eight_tasks_twice() -> None:
    spec = ReinforcementSpec.model_validate(json.loads(EXAMPLE.read_text()))
    assert len(spec.tasks) == 8
    assert sorted(segment.task for segment in spec.segments) == sorted([*range(8)] * 2)
    assert spec.methods[0] == "ewc"


def test_what_is_written_of_a_spec_reads_as_the_same_spec() -> None:
    spec = job(EWC, controls=["naive", "l2"], task_inference=FLAT)
    assert ReinforcementSpec.model_validate_json(spec.model_dump_json()) == spec


def test_visits_that_are_announced_later_have_the_schedules_length() -> None:
    spec = job(visits=(0, 1), num_steps=70)
    assert [spec.num_steps_of_visit(index) for index in (0, 1, 2, 50)] == [70, 70, 70, 70]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"controls": ["naive", "naive"]}, "must differ"),
        ({"method": {"kind": "naive"}, "controls": ["naive"]}, "must differ"),
        ({"method": {"kind": "naive"}, "controls": ["l2"]}, "change the Fisher"),
        ({"method": {"kind": "l2", "ewc_lambda": 1.0}, "controls": ["shuffled_fisher"]}, "change the Fisher"),
        ({"controls": ["oracle"]}, "equals the method"),
        ({"visits": (0, 2)}, "there are tasks 0 to 1"),
        ({"tasks": [CATCH[0], {"kind": "gymnasium", "id": "CartPole-v1"}]}, r"tasks\.1"),
        ({"agent": {"replay_memory_bytes": 1000}}, r"agent\.replay_memory_bytes"),
        ({"controls": ["naive", "independent"], "agent": {"replay_memory_bytes": 300_000}}, "2 tasks of 3 agents"),
        ({"tasks": [{"kind": "atari", "game": "pongg"}]}, "did you mean pong"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        job(**fields)


def test_l2_and_oracle_are_controls_of_ewc_with_recognised_tasks() -> None:
    assert job(EWC, controls=["l2", "oracle"], task_inference=FLAT).methods == ["ewc", "l2", "oracle"]


def test_an_announced_task_fits_the_frames_and_the_bound() -> None:
    spec = job(visits=(0,), agent={"replay_memory_bytes": 2 * 4 * (150 + 256) * 57})
    third = GymnasiumTask.model_validate(CATCH[2])
    check_next_environment(spec, spec.tasks[:1], third)
    with pytest.raises(SpecError, match="3 tasks") as refused:
        check_next_environment(spec, spec.tasks, third)
    assert refused.value.field == "task"
    with pytest.raises(SpecError, match="frames of shape"):
        check_next_environment(spec, spec.tasks[:1], GymnasiumTask(kind="gymnasium", id="CartPole-v1"))
