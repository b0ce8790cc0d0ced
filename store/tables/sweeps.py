"""Sweeps, and the trials that they have made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime, one_of

SWEEP_STATUSES = ("running", "succeeded", "failed", "cancelled")
TRIAL_STATUSES = ("running", "completed", "failed")


class SweepRow(Base):
    """One search. `version` changes whenever anything that a client can see of the row or its trials changes."""

    __tablename__ = "sweeps"
    __table_args__ = (one_of("status", SWEEP_STATUSES), Index(None, "owner", "created_at", "id"), Index(None, "status"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    status: Mapped[str] = mapped_column(Text)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON_VALUE)
    request_id: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TrialRow(Base):
    """One setting that a sweep tries, as a job. `score` is that of the finished job."""

    __tablename__ = "sweep_trials"
    __table_args__ = (one_of("status", TRIAL_STATUSES), Index(None, "job_id"))

    sweep_id: Mapped[str] = mapped_column(Text, ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    status: Mapped[str] = mapped_column(Text)
    score: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
