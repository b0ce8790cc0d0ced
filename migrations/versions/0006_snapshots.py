"""A snapshot of every committed visit, and chunks that several blobs of one owner share.

Revision: 0006. Only adds tables. Resume points of before are gone on from as they are; a job has snapshots of the visits that
it commits from now on. Going back deletes them: a job that rests between two visits would have nothing to go on from.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shared_chunks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("shared_chunks_pkey")),
        sa.UniqueConstraint("owner", "sha256", name=op.f("shared_chunks_owner_sha256_key")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Weights do not compress; trying to costs about a third of the writing speed.
        op.execute("ALTER TABLE shared_chunks ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "chunk_uses",
        sa.Column("blob_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("chunk_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("blob_id", "seq", name=op.f("chunk_uses_pkey")),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("chunk_uses_blob_id_fkey"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["chunk_id"], ["shared_chunks.id"], name=op.f("chunk_uses_chunk_id_fkey")),
    )
    op.create_index("ix_chunk_uses_chunk_id", "chunk_uses", ["chunk_id"])
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("visit_index", sa.Integer(), nullable=False),
        sa.Column("task_index", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("snapshots_pkey")),
        sa.UniqueConstraint("job_id", "visit_index", name=op.f("snapshots_job_id_visit_index_key")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("snapshots_job_id_fkey"), ondelete="CASCADE"),
    )
    op.create_table(
        "snapshot_parts",
        sa.Column("snapshot_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("blob_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", "name", name=op.f("snapshot_parts_pkey")),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["snapshots.id"], name=op.f("snapshot_parts_snapshot_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name=op.f("snapshot_parts_blob_id_fkey")),
    )
    op.create_index("ix_snapshot_parts_blob_id", "snapshot_parts", ["blob_id"])


def downgrade() -> None:
    op.create_table("released", sa.Column("id", sa.Text()))
    op.execute("INSERT INTO released SELECT DISTINCT blob_id FROM chunk_uses")
    op.drop_table("snapshot_parts")
    op.drop_table("snapshots")
    op.drop_table("chunk_uses")
    op.drop_table("shared_chunks")
    op.execute("DELETE FROM blobs WHERE id IN (SELECT id FROM released)")
    op.drop_table("released")
