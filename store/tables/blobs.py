"""Bytes too large for one row: a blob and its chunks, its own or shared with other blobs of the same owner."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.base import Base, UtcTime, one_of

BLOB_STATES = ("staging", "ready")


class BlobRow(Base):
    """One file. Readers see it once it is `ready`."""

    __tablename__ = "blobs"
    __table_args__ = (one_of("state", BLOB_STATES), Index(None, "state", "created_at"))

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    chunk_size: Mapped[int]
    num_chunks: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class BlobChunkRow(Base):
    """One piece of a file; `crc32` is of `data`."""

    __tablename__ = "blob_chunks"

    blob_id: Mapped[str] = mapped_column(Text, ForeignKey("blobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    crc32: Mapped[int] = mapped_column(BigInteger)


class SharedChunkRow(Base):
    """One piece of any number of files of one owner, stored once; it lives as long as some blob refers to it."""

    __tablename__ = "shared_chunks"
    __table_args__ = (UniqueConstraint("owner", "sha256"),)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    crc32: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ChunkUseRow(Base):
    """Piece `seq` of a file is a shared chunk."""

    __tablename__ = "chunk_uses"
    __table_args__ = (Index(None, "chunk_id"),)

    blob_id: Mapped[str] = mapped_column(Text, ForeignKey("blobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chunk_id: Mapped[str] = mapped_column(Text, ForeignKey("shared_chunks.id"))
