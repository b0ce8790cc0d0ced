"""In which order, and for how long, tasks are played."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.specs.schedule import MAX_VISITS, ExplicitSchedule, RoundsSchedule, Segment, VisitSpec, check_schedule, segments_of


def _tasks(schedule: RoundsSchedule, *, num_tasks: int = 5, seed: int = 0) -> list[int]:
    return [segment.task for segment in segments_of(schedule, num_tasks=num_tasks, seed=seed)]


def test_a_round_visits_every_task_once_in_a_new_order_and_no_task_follows_itself() -> None:
    for seed in range(20):
        tasks = _tasks(RoundsSchedule(num_rounds=6, num_steps=10), seed=seed, num_tasks=3)
        rounds = [tasks[start : start + 3] for start in range(0, 18, 3)]
        assert all(sorted(part) == [0, 1, 2] for part in rounds)
        assert all(one != other for one, other in pairwise(tasks))
    assert len({tuple(_tasks(RoundsSchedule(num_steps=1), seed=seed)) for seed in range(20)}) > 10


def test_the_same_seed_gives_the_same_schedule_and_fixed_keeps_the_order() -> None:
    schedule = RoundsSchedule(num_rounds=3, num_steps=10, max_steps=50)
    assert segments_of(schedule, num_tasks=4, seed=7) == segments_of(schedule, num_tasks=4, seed=7)
    assert _tasks(RoundsSchedule(num_rounds=2, num_steps=10, order="fixed"), num_tasks=3) == [0, 1, 2, 0, 1, 2]


def test_one_task_alone_may_follow_itself() -> None:
    assert _tasks(RoundsSchedule(num_rounds=3, num_steps=1), num_tasks=1) == [0, 0, 0]


def test_lengths_are_drawn_evenly_from_their_range_with_both_ends() -> None:
    schedule = RoundsSchedule(num_rounds=200, num_steps=3, max_steps=6)
    lengths = [segment.num_steps for segment in segments_of(schedule, num_tasks=2, seed=0)]
    counts = {length: lengths.count(length) for length in (3, 4, 5, 6)}
    assert sum(counts.values()) == 400
    assert all(70 < count < 130 for count in counts.values())


def test_visits_one_by_one_have_their_own_length_or_the_schedules() -> None:
    schedule = ExplicitSchedule(kind="explicit", num_steps=10, visits=[VisitSpec(task=1), VisitSpec(task=0, num_steps=3)])
    assert segments_of(schedule, num_tasks=2, seed=0) == [Segment(1, 10), Segment(0, 3)]


def test_a_visit_to_a_task_that_is_not_there_and_too_many_visits_are_refused() -> None:
    schedule = ExplicitSchedule(kind="explicit", num_steps=10, visits=[VisitSpec(task=2)])
    with pytest.raises(ValueError, match=r"^schedule.visits.0.task is 2; there are tasks 0 to 1"):
        check_schedule(schedule, num_tasks=2)
    with pytest.raises(ValueError, match=f"schedule.num_rounds.*11000 visits; at most {MAX_VISITS}"):
        check_schedule(RoundsSchedule(num_rounds=1000, num_steps=1), num_tasks=11)


@pytest.mark.parametrize("fields", [{"num_steps": 0}, {"num_steps": 10, "max_steps": 9}, {"num_steps": 1, "num_rounds": 0}])
def test_an_empty_schedule_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RoundsSchedule.model_validate(fields)


def test_specs_of_agents_and_schedules_leave_torch_unloaded() -> None:
    program = "import sys, ewc_core.specs.reinforcement, ewc_core.specs.any_task; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
