"""Jobs, their attempts, and the history of their states."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ewc_core.specs import Slot
from store.base import JSON_VALUE, Base, UtcTime, one_of
from store.job_states import DesiredState, JobStatus


class JobRow(Base):
    """One job. `version` changes whenever anything that a client can see of the row changes.

    `slot`, `device`, `memory_bytes` (NULL: not known) and `labels` are what it asks of a worker.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("status", JobStatus),
        one_of("desired_state", DesiredState),
        one_of("stream", ("open", "closed")),
        one_of("slot", Slot),
        Index(None, "owner", "created_at", "id"),
        Index(None, "status", "woken_at"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    status: Mapped[str] = mapped_column(Text)
    status_reason: Mapped[str | None] = mapped_column(Text)
    desired_state: Mapped[str] = mapped_column(Text)
    stream: Mapped[str] = mapped_column(Text)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON_VALUE)
    attempt: Mapped[int]
    attempts_since_progress: Mapped[int]
    visit_index: Mapped[int | None]
    step: Mapped[int | None]
    num_steps: Mapped[int | None]
    last_event_seq: Mapped[int]
    last_switch_sequence: Mapped[int]
    weights_sha256: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int]
    woken_at: Mapped[datetime | None] = mapped_column(UtcTime)
    num_wake_ups: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    device: Mapped[str] = mapped_column(Text, server_default=text("'cpu'"))
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    labels: Mapped[list[str]] = mapped_column(JSON_VALUE, server_default=text("'[]'"))
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    slot: Mapped[str] = mapped_column(Text, server_default=text("'training'"))


class TransitionRow(Base):
    """One move of a job from state to state; `from_status` is NULL for its creation."""

    __tablename__ = "job_transitions"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    from_status: Mapped[str | None] = mapped_column(Text)
    to_status: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int | None]


class AttemptRow(Base):
    """One attempt to run a job, from the moment that its trainer begins: by whom, and in which environment.

    Jobs of version 0.1.0 have none of their earlier attempts.
    """

    __tablename__ = "job_attempts"

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
    worker_id: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    environment: Mapped[dict[str, str]] = mapped_column(JSON_VALUE)
