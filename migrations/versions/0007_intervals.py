"""How sure a score is, and what chance gives, beside it.

Revision: 0007. Only adds: columns that may be NULL.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = ("interval_low", "interval_high", "chance")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("evaluations", sa.Column(name, sa.Float(), nullable=True))


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.execute(f"ALTER TABLE evaluations DROP COLUMN {name}")
