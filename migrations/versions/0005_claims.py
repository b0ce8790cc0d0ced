"""What jobs ask of workers and what workers offer, by which whoever looks claims what is due first.

Revision: 0005. Only adds. Jobs of before ask for nothing; those that answer a question about another job are short work.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ANALYSES_ARE_SHORT = {
    # On SQLite a spec that is no JSON would fail the whole statement.
    "sqlite": "UPDATE jobs SET slot = 'short' "
    "WHERE CASE WHEN json_valid(spec) THEN json_extract(spec, '$.kind') = 'analysis' ELSE 0 END",
    "postgresql": "UPDATE jobs SET slot = 'short' WHERE spec ->> 'kind' = 'analysis'",
}


def upgrade() -> None:
    for table in ("jobs", "workers"):
        op.add_column(table, sa.Column("device", sa.Text(), nullable=False, server_default=sa.text("'cpu'")))
        op.add_column(table, sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
        labels = sa.JSON().with_variant(JSONB(), "postgresql")
        op.add_column(table, sa.Column("labels", labels, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("jobs", sa.Column("priority", sa.Integer(), nullable=False, server_default=sa.text("0")))
    # Plain SQL: a CHECK of its own would have to copy the table on SQLite.
    is_slot = "CONSTRAINT jobs_slot_check CHECK (slot IN ('training', 'short'))"
    op.execute(f"ALTER TABLE jobs ADD COLUMN slot TEXT DEFAULT 'training' NOT NULL {is_slot}")
    op.execute(_ANALYSES_ARE_SHORT[op.get_bind().dialect.name])
    op.create_index("ix_leases_worker_id", "leases", ["worker_id"])


def downgrade() -> None:
    op.drop_index("ix_leases_worker_id", "leases")
    for column in ("slot", "priority"):
        op.execute(f"ALTER TABLE jobs DROP COLUMN {column}")
    for table in ("workers", "jobs"):
        for column in ("labels", "memory_bytes", "device"):
            op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
