"""Sweeps and their trials, results of jobs without tasks, weights of constraints, and scores that need not be accuracies.

Revision: 0002. Renaming, adding and dropping columns is plain SQL: both engines know these statements, and no table is
copied.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_results()
    _create_sweeps()
    op.execute("ALTER TABLE evaluations RENAME COLUMN accuracy TO score")
    op.add_column("constraints", sa.Column("weight", sa.Float(), nullable=False, server_default=sa.text("1")))


def downgrade() -> None:
    op.execute("ALTER TABLE constraints DROP COLUMN weight")
    op.execute("ALTER TABLE evaluations RENAME COLUMN score TO accuracy")
    for table in ("sweep_trials", "sweeps", "results"):
        op.drop_table(table)


def _create_results() -> None:
    op.create_table(
        "results",
        _text("job_id"),
        _json("body"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("results_pkey")),
        _refers_to("results", "job_id", "jobs.id"),
    )


def _create_sweeps() -> None:
    op.create_table(
        "sweeps",
        _text("id"),
        _text("owner"),
        _text("name", null=True),
        _json("spec"),
        _text("status"),
        _json("error", null=True),
        _text("request_id", null=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        _time("finished_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("sweeps_pkey")),
        _one_of("sweeps", "status", "'running', 'succeeded', 'failed', 'cancelled'"),
    )
    op.create_index("ix_sweeps_owner_created_at_id", "sweeps", ["owner", "created_at", "id"])
    op.create_index("ix_sweeps_status", "sweeps", ["status"])
    op.create_table(
        "sweep_trials",
        _text("sweep_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("job_id"),
        _json("parameters"),
        _text("status"),
        sa.Column("score", sa.Float(), nullable=True),
        _time("created_at"),
        _time("finished_at", null=True),
        sa.PrimaryKeyConstraint("sweep_id", "number", name=op.f("sweep_trials_pkey")),
        _one_of("sweep_trials", "status", "'running', 'completed', 'failed'"),
        _refers_to("sweep_trials", "sweep_id", "sweeps.id"),
        _refers_to("sweep_trials", "job_id", "jobs.id"),
    )
    op.create_index("ix_sweep_trials_job_id", "sweep_trials", ["job_id"])


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _json(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON().with_variant(JSONB(), "postgresql"), nullable=null)


def _one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({values})", name=op.f(f"{table}_{column}_check"))


def _refers_to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"{table}_{column}_fkey"), ondelete="CASCADE")
