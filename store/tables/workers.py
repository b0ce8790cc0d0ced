"""Workers, and the leases by which they hold jobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime


class LeaseRow(Base):
    """The lease of one job. `epoch` grows by one with each claim; `worker_id` is NULL while nobody holds the job."""

    __tablename__ = "leases"
    __table_args__ = (Index(None, "expires_at"), Index(None, "worker_id"))

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int]
    worker_id: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class WorkerRow(Base):
    """One worker process and when it was last heard of. `slots` are those for training; each has one for short work besides.
    `memory_bytes` NULL: any job fits."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    hostname: Mapped[str] = mapped_column(Text)
    pid: Mapped[int]
    queue: Mapped[str] = mapped_column(Text)
    slots: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)
    device: Mapped[str] = mapped_column(Text, server_default=text("'cpu'"))
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    labels: Mapped[list[str]] = mapped_column(JSON_VALUE, server_default=text("'[]'"))
