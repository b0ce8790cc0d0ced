"""Schedules: in which order, and for how long, the tasks of a reinforcement-learning job are played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ewc_core.derived_seed import derive_seed
from ewc_core.specs.base import Spec, refuse

NumSteps = Annotated[int, Field(ge=1, le=10**10)]
MAX_VISITS = 10_000


@dataclass(frozen=True)
class Segment:
    """One scheduled visit: the task at index `task`, for `num_steps` agent steps."""

    task: int
    num_steps: int


class RoundsSchedule(Spec):
    """Every task once per round, `num_rounds` times, each visit `num_steps` agent steps long, or drawn evenly from
    [`num_steps`, `max_steps`].

    `order` "random" shuffles every round anew, but no task follows itself; "fixed" keeps the order of `tasks`.
    """

    kind: Literal["rounds"] = "rounds"
    num_rounds: int = Field(default=1, ge=1, le=1000)
    num_steps: NumSteps
    max_steps: NumSteps | None = None
    order: Literal["random", "fixed"] = "random"

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> RoundsSchedule:
        if self.max_steps is not None and self.max_steps < self.num_steps:
            raise ValueError(f"max_steps {self.max_steps} is less than num_steps {self.num_steps}")
        return self


class VisitSpec(Spec):
    """A visit to `tasks[task]`; `num_steps` None is the schedule's."""

    task: int = Field(ge=0, le=9999)
    num_steps: NumSteps | None = None


class ExplicitSchedule(Spec):
    """The visits one by one."""

    kind: Literal["explicit"]
    num_steps: NumSteps
    visits: list[VisitSpec] = Field(min_length=1, max_length=MAX_VISITS)


ScheduleSpec = Annotated[RoundsSchedule | ExplicitSchedule, Field(discriminator="kind")]


def check_schedule(schedule: ScheduleSpec, *, num_tasks: int) -> None:
    """Raises ValueError when a visit names a task that is not there, or when there are more than MAX_VISITS visits."""
    if isinstance(schedule, ExplicitSchedule):
        visits = [(index, visit.task) for index, visit in enumerate(schedule.visits) if visit.task >= num_tasks]
        refuse(*(f"schedule.visits.{index}.task is {task}; there are tasks 0 to {num_tasks - 1}" for index, task in visits))
    elif schedule.num_rounds * num_tasks > MAX_VISITS:
        raise ValueError(
            f"schedule.num_rounds: {schedule.num_rounds} rounds of {num_tasks} tasks are {schedule.num_rounds * num_tasks} "
            f"visits; at most {MAX_VISITS} are allowed"
        )


def segments_of(schedule: ScheduleSpec, *, num_tasks: int, seed: int) -> list[Segment]:
    """The visits of a schedule over `num_tasks` tasks. Random choices follow from `seed` alone."""
    if isinstance(schedule, ExplicitSchedule):
        return [Segment(visit.task, visit.num_steps or schedule.num_steps) for visit in schedule.visits]
    segments: list[Segment] = []
    for number in range(schedule.num_rounds):
        previous = segments[-1].task if segments else None
        for task in _order(schedule, num_tasks, previous, seed, number):
            segments.append(Segment(task, _num_steps(schedule, seed, len(segments))))
    return segments


def _order(schedule: RoundsSchedule, num_tasks: int, previous: int | None, seed: int, number: int) -> list[int]:
    if schedule.order == "fixed":
        return list(range(num_tasks))
    order = sorted(range(num_tasks), key=lambda task: derive_seed(seed, "schedule", number, task))
    if num_tasks > 1 and order[0] == previous:
        order.append(order.pop(0))
    return order


def _num_steps(schedule: RoundsSchedule, seed: int, visit_index: int) -> int:
    if schedule.max_steps is None:
        return schedule.num_steps
    return schedule.num_steps + derive_seed(seed, "visit-length", visit_index) % (schedule.max_steps - schedule.num_steps + 1)
