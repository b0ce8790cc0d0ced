"""Alembic's environment: runs on the connection that `migrations.run` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    # The caller's transaction holds all of it, on SQLite too: BEGIN was sent explicitly there.
    transactional_ddl=False,
)
context.run_migrations()
