"""Requests and bodies of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class DataDigest(Resource):
    """SHA-256 of the bytes of a file, or of arrays that a package handed over. `name` is as the spec has it, `version` that of
    the package."""

    name: str
    sha256: str
    version: str | None


class Numbers(Resource):
    """What many numbers look like."""

    smallest: float
    largest: float
    mean: float
    standard_deviation: float


class MergedColumn(Resource):
    """A column of which float32 keeps only `num_read` of `num_stored` distinct values (among the first rows)."""

    column: str
    num_stored: int
    num_read: int


class DataAsRead(Resource):
    """A task's data as training sees them. Of long lists of columns the first twenty are given.

    `dtype` is that of the inputs as they are stored. `scaling` says what is done to them, `inputs` how they then are, over
    `num_examples_looked_at` training examples; `targets` are those of real-valued targets. `num_examples` are those of each
    split; `num_of_class` those of each class by split, empty for other targets and for more than a hundred classes. A column
    of a table has its name, any other its number in the flattened input.
    """

    input_shape: Sequence[int]
    dtype: str
    scaling: str
    num_examples: Mapping[str, int]
    num_examples_looked_at: int
    inputs: Numbers
    likelihood: str
    num_outputs: int
    num_of_class: Mapping[str, Sequence[int]]
    targets: Numbers | None
    num_constant_columns: int
    constant_columns: Sequence[str]
    merged_columns: Sequence[MergedColumn]
    left_out_columns: Sequence[str]


class DataWarning(Resource):
    """Something about data that is almost surely not what was meant. `code` is stable."""

    code: str
    message: str


class TaskData(Resource):
    """What is known of a task's data since they were first loaded. Data with other digests are refused from then on.

    `as_read` is null where they could not be described.
    """

    digests: Sequence[DataDigest]
    as_read: DataAsRead | None
    warnings: Sequence[DataWarning]


class Task(Record):
    """A task of a job. `num_examples_seen` counts training examples with repetition, or agent steps, over all visits.

    `data` is null until the task's data have been loaded, and for games.

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
    data: TaskData | None
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
