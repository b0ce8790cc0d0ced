"""The body of a task."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.schemas import Record
from ewc_core.specs import TaskSpec


class Task(Record):
    """A task of a job. `num_examples_seen` counts training examples with repetition, over all visits."""

    object: Literal["task"] = "task"
    job_id: str
    task_index: int
    name: str
    spec: TaskSpec
    status: Literal["pending", "training", "estimating_fisher", "evaluating", "completed", "failed"]
    num_visits: int
    num_examples_seen: int
    checkpoint_id: str | None
    created_at: datetime
    completed_at: datetime | None
