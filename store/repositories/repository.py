"""What all repositories share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from store.base import Base
from store.transaction import Transaction


class Repository:
    """Queries on one kind of record, inside one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @property
    def _connection(self) -> Connection:
        return self._transaction.connection

    @property
    def _now(self) -> datetime:
        return self._transaction.now

    def _insert_or_replace(self, table: type[Base], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]) -> None:
        """Insert rows; where `key` exists already, replace all other columns. Both engines speak the same dialect here."""
        if not rows:
            return
        statement = self._dialect_insert(table)
        replaced = {name: statement.excluded[name] for name in rows[0] if name not in key}
        self._connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=replaced), list(rows))

    def _insert_if_absent(self, table: type[Base], row: Mapping[str, Any], *, key: Sequence[str]) -> bool:
        """Insert a row unless `key` exists already; whether it was inserted."""
        statement = self._dialect_insert(table).values(**row).on_conflict_do_nothing(index_elements=list(key))
        # RETURNING, because PostgreSQL's driver gives no count of rows for an INSERT.
        returned = self._connection.execute(statement.returning(*(table.__table__.c[name] for name in key)))
        return returned.one_or_none() is not None

    def _dialect_insert(self, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self._connection.dialect.name == "sqlite" else postgresql.insert(table)
