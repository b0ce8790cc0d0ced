"""What is observed of a job: events, metrics and evaluations. Keys make every write repeatable."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime, one_of

EVENT_LEVELS = ("info", "warn", "error")


class EventRow(Base):
    """One event; `seq` counts 1, 2, 3 ... per job without a gap."""

    __tablename__ = "job_events"
    __table_args__ = (one_of("level", EVENT_LEVELS),)

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    level: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    at: Mapped[datetime] = mapped_column(UtcTime)


class MetricRow(Base):
    """One point of one series."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    method: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    visit_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float] = mapped_column(Float)


class EvaluationRow(Base):
    """One entry of a method's score matrix: the score on a task after a visit (-1: the untrained network).

    `metric` is a name of `ewc_core.metrics.SCORES`; NULL in rows of version 0.1.0, which did not keep it. The ends of the
    interval and the chance level are NULL where there is none, and in rows of before they were kept.
    """

    __tablename__ = "evaluations"

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    method: Mapped[str] = mapped_column(Text, primary_key=True)
    after_visit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    score: Mapped[float] = mapped_column(Float)
    num_examples: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    metric: Mapped[str | None] = mapped_column(Text)
    interval_low: Mapped[float | None] = mapped_column(Float)
    interval_high: Mapped[float | None] = mapped_column(Float)
    chance: Mapped[float | None] = mapped_column(Float)
