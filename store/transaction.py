"""One transaction: its connection, and the database's clock."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, select

from store.base import db_now

_NOW = select(db_now())


class Transaction:
    """What a repository works in. Whoever began the transaction ends it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def now(self) -> datetime:
        """The database's clock, read once per transaction (UTC)."""
        return self.connection.execute(_NOW).scalar_one()
