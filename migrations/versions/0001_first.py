"""The first tables.

Revision: 0001. The definitions here are this revision's own: they stay as they are when the tables move on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "jobs",
    "job_transitions",
    "leases",
    "tasks",
    "task_switches",
    "job_events",
    "metrics",
    "evaluations",
    "blobs",
    "blob_chunks",
    "checkpoints",
    "constraints",
    "resume_points",
    "api_keys",
    "idempotency_keys",
    "workers",
)


def upgrade() -> None:
    _create_jobs()
    _create_tasks()
    _create_observations()
    _create_blobs()
    _create_learning()
    _create_access()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        _text("id"),
        _text("owner"),
        _text("name", null=True),
        _json("spec"),
        _text("status"),
        _text("status_reason", null=True),
        _text("desired_state"),
        _text("stream"),
        _json("error", null=True),
        _integer("attempt"),
        _integer("attempts_since_progress"),
        _integer("visit_index", null=True),
        _integer("step", null=True),
        _integer("num_steps", null=True),
        _integer("last_event_seq"),
        _integer("last_switch_sequence"),
        _text("weights_sha256", null=True),
        _text("request_id", null=True),
        _integer("version"),
        _time("woken_at", null=True),
        _integer("num_wake_ups"),
        _time("created_at"),
        _time("updated_at"),
        _time("started_at", null=True),
        _time("finished_at", null=True),
        _primary_key("jobs", "id"),
        _one_of(
            "jobs",
            "status",
            "'queued', 'starting', 'running', 'waiting', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled'",
        ),
        _one_of("jobs", "desired_state", "'run', 'pause', 'cancel'"),
        _one_of("jobs", "stream", "'open', 'closed'"),
    )
    op.create_index("ix_jobs_owner_created_at_id", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_status_woken_at", "jobs", ["status", "woken_at"])
    op.create_table(
        "job_transitions",
        _integer("id"),
        _text("job_id"),
        _text("from_status", null=True),
        _text("to_status"),
        _time("at"),
        _text("reason"),
        _text("actor"),
        _integer("epoch", null=True),
        _primary_key("job_transitions", "id"),
        _of_a_job("job_transitions"),
    )
    op.create_index("ix_job_transitions_job_id_id", "job_transitions", ["job_id", "id"])
    op.create_table(
        "leases",
        _text("job_id"),
        _integer("epoch"),
        _text("worker_id", null=True),
        _time("expires_at"),
        _primary_key("leases", "job_id"),
        _of_a_job("leases"),
    )
    op.create_index("ix_leases_expires_at", "leases", ["expires_at"])


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        _text("id"),
        _text("job_id"),
        _integer("task_index"),
        _text("name"),
        _json("spec"),
        _text("status"),
        _integer("num_visits"),
        _integer("num_examples_seen"),
        _text("checkpoint_id", null=True),
        _time("created_at"),
        _time("completed_at", null=True),
        _primary_key("tasks", "id"),
        _unique("tasks", "job_id", "task_index"),
        _one_of("tasks", "status", "'pending', 'training', 'estimating_fisher', 'evaluating', 'completed', 'failed'"),
        _of_a_job("tasks"),
    )
    op.create_table(
        "task_switches",
        _text("id"),
        _text("job_id"),
        _integer("sequence"),
        _text("action"),
        _integer("task_index", null=True),
        _integer("visit_index", null=True),
        _text("origin"),
        sa.Column("now", sa.Boolean(), nullable=False),
        _text("status"),
        _integer("cut_at_step", null=True),
        _integer("num_steps", null=True),
        _time("created_at"),
        _time("finished_at", null=True),
        _primary_key("task_switches", "id"),
        _unique("task_switches", "job_id", "sequence"),
        _unique("task_switches", "job_id", "visit_index"),
        _one_of("task_switches", "action", "'append', 'revisit', 'switch_now', 'close'"),
        _one_of("task_switches", "status", "'pending', 'active', 'done'"),
        _of_a_job("task_switches"),
    )


def _create_observations() -> None:
    op.create_table(
        "job_events",
        _text("job_id"),
        _integer("seq"),
        _text("level"),
        _text("type"),
        _text("message"),
        _json("data"),
        _time("at"),
        _primary_key("job_events", "job_id", "seq"),
        _one_of("job_events", "level", "'info', 'warn', 'error'"),
        _of_a_job("job_events"),
    )
    op.create_table(
        "metrics",
        _text("job_id"),
        _text("method"),
        _text("name"),
        _integer("visit_index"),
        _integer("step"),
        _float("value"),
        _primary_key("metrics", "job_id", "method", "name", "visit_index", "step"),
        _of_a_job("metrics"),
    )
    op.create_table(
        "evaluations",
        _text("job_id"),
        _text("method"),
        _integer("after_visit"),
        _integer("task_index"),
        _float("accuracy"),
        _integer("num_examples"),
        _time("at"),
        _primary_key("evaluations", "job_id", "method", "after_visit", "task_index"),
        _of_a_job("evaluations"),
    )


def _create_blobs() -> None:
    op.create_table(
        "blobs",
        _text("id"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _integer("chunk_size"),
        _integer("num_chunks"),
        _text("sha256"),
        _text("media_type"),
        _text("state"),
        _time("created_at"),
        _primary_key("blobs", "id"),
        _one_of("blobs", "state", "'staging', 'ready'"),
    )
    op.create_index("ix_blobs_state_created_at", "blobs", ["state", "created_at"])
    op.create_table(
        "blob_chunks",
        _text("blob_id"),
        _integer("seq"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        _primary_key("blob_chunks", "blob_id", "seq"),
        _refers_to("blob_chunks", "blob_id", "blobs.id", ondelete="CASCADE"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Weights do not compress; trying to costs about a third of the writing speed.
        op.execute("ALTER TABLE blob_chunks ALTER COLUMN data SET STORAGE EXTERNAL")


def _create_learning() -> None:
    op.create_table(
        "checkpoints",
        _text("id"),
        _text("job_id"),
        _integer("visit_index"),
        _integer("task_index"),
        _text("method"),
        _text("blob_id"),
        _text("weights_sha256"),
        _json("tensors"),
        _time("created_at"),
        _primary_key("checkpoints", "id"),
        _unique("checkpoints", "job_id", "visit_index", "method"),
        _of_a_job("checkpoints"),
        _refers_to("checkpoints", "blob_id", "blobs.id"),
    )
    op.create_index("ix_checkpoints_blob_id", "checkpoints", ["blob_id"])
    op.create_table(
        "constraints",
        _text("job_id"),
        _integer("task_index"),
        _integer("visit_index"),
        _text("checkpoint_id"),
        _float("ewc_lambda"),
        _json("info"),
        _primary_key("constraints", "job_id", "task_index"),
        _of_a_job("constraints"),
        _refers_to("constraints", "checkpoint_id", "checkpoints.id"),
    )
    op.create_index("ix_constraints_checkpoint_id", "constraints", ["checkpoint_id"])
    op.create_table(
        "resume_points",
        _text("job_id"),
        _integer("visit_index"),
        _integer("step"),
        _text("blob_id"),
        _time("created_at"),
        _primary_key("resume_points", "job_id"),
        _of_a_job("resume_points"),
        _refers_to("resume_points", "blob_id", "blobs.id"),
    )
    op.create_index("ix_resume_points_blob_id", "resume_points", ["blob_id"])


def _create_access() -> None:
    op.create_table(
        "api_keys",
        _text("id"),
        _text("owner"),
        _text("name"),
        _text("prefix"),
        _text("secret_sha256"),
        _json("scopes"),
        _time("created_at"),
        _time("last_used_at", null=True),
        _time("revoked_at", null=True),
        _primary_key("api_keys", "id"),
        _unique("api_keys", "prefix"),
    )
    op.create_index("ix_api_keys_owner", "api_keys", ["owner"])
    op.create_table(
        "idempotency_keys",
        _text("owner"),
        _text("key"),
        _text("request_sha256"),
        _integer("status"),
        _json("body"),
        _json("headers"),
        _time("created_at"),
        _primary_key("idempotency_keys", "owner", "key"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "workers",
        _text("id"),
        _text("hostname"),
        _integer("pid"),
        _text("queue"),
        _integer("slots"),
        _time("started_at"),
        _time("last_seen_at"),
        _primary_key("workers", "id"),
    )


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _integer(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null)


def _float(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(), nullable=False)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _json(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON().with_variant(JSONB(), "postgresql"), nullable=null)


def _primary_key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"{table}_pkey"))


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"{table}_{'_'.join(columns)}_key"))


def _one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({values})", name=op.f(f"{table}_{column}_check"))


def _of_a_job(table: str) -> sa.ForeignKeyConstraint:
    return _refers_to(table, "job_id", "jobs.id", ondelete="CASCADE")


def _refers_to(table: str, column: str, target: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"{table}_{column}_fkey"), ondelete=ondelete)
