"""Requests and bodies of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas import Body, Record, Resource, ShownAs
from ewc_core.specs import AnyTaskSpec
from store.records import ConstraintRecord, TaskRecord


class Constraint(Resource):
    """What holds the network to a consolidated task: its precision is weight · ewc_lambda · Fisher.

    `weight` counts from the next visit on; it is 1 after every consolidation of the task, and 0 forgets it. `estimator`,
    `likelihood`, `num_examples` and `seed` say how the Fisher was made, `scale` in what unit it is.
    """

    visit_index: int
    checkpoint_id: str
    ewc_lambda: float
    weight: float
    estimator: str | None
    likelihood: str | None
    num_examples: int | None
    seed: int | None
    scale: str | None


class Task(Record):
    """A task of a job. `num_examples_seen` counts training examples with repetition, or agent steps, over all visits.

    `constraint` is null until the task is consolidated. With a method that keeps one running sum (online_ewc, si, mas) the
    latest one stands for all tasks, and none can be weighed.
    """

    object: Literal["task"] = "task"
    job_id: str
    task_index: int
    name: str
    spec: Annotated[Mapping[str, Any], ShownAs(AnyTaskSpec)]
    status: Literal["pending", "training", "estimating_fisher", "evaluating", "completed", "failed"]
    num_visits: int
    num_examples_seen: int
    checkpoint_id: str | None
    constraint: Constraint | None
    created_at: datetime
    completed_at: datetime | None


class Reweight(Body):
    """How many times the task's constraint counts: 1 as consolidated, 0 not at all."""

    weight: float = Field(ge=0.0, le=1e6, examples=[0.5])


def task_body(task: TaskRecord, constraint: ConstraintRecord | None) -> Task:
    """The task as the service shows it."""
    shown = {name: value for name, value in vars(task).items() if name != "stored_spec"}
    held_by = None if constraint is None else _constraint(constraint)
    return Task.model_validate({**shown, "spec": task.stored_spec, "constraint": held_by})


def _constraint(record: ConstraintRecord) -> Constraint:
    made = {name: record.info.get(name) for name in ("estimator", "likelihood", "num_examples", "seed", "scale")}
    return Constraint.model_validate({**vars(record), **made})
