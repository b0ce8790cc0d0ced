"""Snapshots: what a committed visit leaves, to go on from there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.base import JSON_VALUE, Base, UtcTime


class SnapshotRow(Base):
    """One visit's; `manifest` names everything in it, `num_bytes` is the size of its parts together."""

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("job_id", "visit_index"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[str] = mapped_column(Text, ForeignKey("jobs.id", ondelete="CASCADE"))
    visit_index: Mapped[int]
    task_index: Mapped[int]
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON_VALUE)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class SnapshotPartRow(Base):
    """One of the parts that a manifest names; its bytes are in a blob of its own, whose chunks may be shared."""

    __tablename__ = "snapshot_parts"
    __table_args__ = (Index(None, "blob_id"),)

    snapshot_id: Mapped[str] = mapped_column(Text, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    blob_id: Mapped[str] = mapped_column(Text, ForeignKey("blobs.id"))
