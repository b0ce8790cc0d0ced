"""Tasks, and the task switches that order the visits to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime, one_of

TASK_STATUSES = ("pending", "training", "estimating_fisher", "evaluating", "completed", "failed")
SWITCH_ACTIONS = ("append", "revisit", "switch_now", "close")
SWITCH_STATUSES = ("pending", "active", "done")


class TaskRow(Base):
    """One learning problem of a job."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("job_id", "task_index"), one_of("status", TASK_STATUSES))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    task_index: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    status: Mapped[str] = mapped_column(Text)
    num_visits: Mapped[int]
    num_examples_seen: Mapped[int]
    checkpoint_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON_VALUE)


class SwitchRow(Base):
    """One announced task switch. Those with a `visit_index` are the job's visits, in order."""

    __tablename__ = "task_switches"
    __table_args__ = (
        UniqueConstraint("job_id", "sequence"),
        UniqueConstraint("job_id", "visit_index"),
        one_of("action", SWITCH_ACTIONS),
        one_of("status", SWITCH_STATUSES),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    sequence: Mapped[int]
    action: Mapped[str] = mapped_column(Text)
    task_index: Mapped[int | None]
    visit_index: Mapped[int | None]
    origin: Mapped[str] = mapped_column(Text)
    now: Mapped[bool]
    status: Mapped[str] = mapped_column(Text)
    cut_at_step: Mapped[int | None]
    num_steps: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
