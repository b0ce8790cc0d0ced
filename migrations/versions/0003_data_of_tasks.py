"""What is known of a task's data: digests, how they look, and what is suspicious about them.

Revision: 0003. Tasks of before have none, and get it when their data are loaded next.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("data", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE tasks DROP COLUMN data")
