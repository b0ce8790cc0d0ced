"""Attempts of jobs with where they ran, and the unit of a score beside it.

Revision: 0004. Only adds: a table, and a column that may be NULL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_attempts",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("environment", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("job_attempts_pkey")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("job_attempts_job_id_fkey"), ondelete="CASCADE"),
    )
    op.add_column("evaluations", sa.Column("metric", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE evaluations DROP COLUMN metric")
    op.drop_table("job_attempts")
