"""What learning leaves behind: checkpoints, constraints, and the point to resume from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime


class CheckpointRow(Base):
    """What is stored of one method after one visit; the bytes are in its blob."""

    __tablename__ = "checkpoints"
    __table_args__ = (UniqueConstraint("job_id", "visit_index", "method"), Index(None, "blob_id"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    visit_index: Mapped[int]
    task_index: Mapped[int]
    method: Mapped[str] = mapped_column(Text)
    blob_id: Mapped[str] = mapped_column(Text, ForeignKey("blobs.id"))
    weights_sha256: Mapped[str] = mapped_column(Text)
    tensors: Mapped[list[dict[str, Any]]] = mapped_column(JSON_VALUE)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class ConstraintRow(Base):
    """The constraint of one task: Fisher and anchor are tensors of its checkpoint. At most one per task.

    `weight` multiplies `ewc_lambda` from the next visit on: 1 as consolidated, 0 when the task is to be forgotten.
    """

    __tablename__ = "constraints"
    __table_args__ = (Index(None, "checkpoint_id"),)

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    task_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    visit_index: Mapped[int]
    checkpoint_id: Mapped[str] = mapped_column(Text, ForeignKey("checkpoints.id"))
    ewc_lambda: Mapped[float] = mapped_column(Float)
    info: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    weight: Mapped[float] = mapped_column(Float, server_default=text("1"))


class ResumePointRow(Base):
    """Where a job continues after its holder is gone. At most one per job."""

    __tablename__ = "resume_points"
    __table_args__ = (Index(None, "blob_id"),)

    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    visit_index: Mapped[int]
    step: Mapped[int]
    blob_id: Mapped[str] = mapped_column(Text, ForeignKey("blobs.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
