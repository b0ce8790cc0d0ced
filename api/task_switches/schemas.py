"""Requests and bodies of task switches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas import Body, Record
from ewc_core.specs import AnyTaskSpec

SequenceNumber = Annotated[
    int | None, Field(ge=1, description="the sequence number that this switch must get; 409 when another switch came first")
]
Now = Annotated[bool, Field(description="end the visit in progress at its next step, instead of after all of its steps")]


class AppendTask(Body):
    """Announce a new task; it is visited after everything announced before it."""

    action: Literal["append"]
    task: AnyTaskSpec
    now: Now = False
    sequence: SequenceNumber = None


class RevisitTask(Body):
    """Visit a task again that the job knows already."""

    action: Literal["revisit"]
    task_index: int = Field(ge=0)
    now: Now = False
    sequence: SequenceNumber = None


class SwitchNow(Body):
    """End the visit in progress at its next step, and go on with the next one."""

    action: Literal["switch_now"]
    sequence: SequenceNumber = None


class CloseStream(Body):
    """Announce that no task follows: the job ends after the last visit."""

    action: Literal["close"]
    sequence: SequenceNumber = None


TaskSwitchRequest = Annotated[AppendTask | RevisitTask | SwitchNow | CloseStream, Field(discriminator="action")]


class TaskSwitch(Record):
    """A task switch. `append` and `revisit` have a visit; `cut_at_step` is the step at which a later switch ended it."""

    object: Literal["task_switch"] = "task_switch"
    job_id: str
    sequence: int
    action: Literal["append", "revisit", "switch_now", "close"]
    task_index: int | None
    visit_index: int | None
    origin: str
    now: bool
    status: Literal["pending", "active", "done"]
    cut_at_step: int | None
    num_steps: int | None
    created_at: datetime
    finished_at: datetime | None


SWITCH_EXAMPLES: dict[str, Any] = {
    "append": {"summary": "A new task", "value": {"action": "append", "task": {"dataset": "digits", "permutation": 3}}},
    "append_now": {
        "summary": "A new task at once, as the third switch",
        "value": {"action": "append", "task": {"dataset": "digits", "permutation": 4}, "now": True, "sequence": 3},
    },
    "revisit": {"summary": "The first task again", "value": {"action": "revisit", "task_index": 0}},
    "switch_now": {"summary": "The next task at once", "value": {"action": "switch_now"}},
    "close": {"summary": "No task follows", "value": {"action": "close"}},
}
