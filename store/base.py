"""What all tables share: names of constraints, a UTC time type, a JSON type, and the database's clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, DateTime, Float, MetaData, Text, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from ewc_core.errors import RowDamaged

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}

JSON_VALUE: TypeEngine[Any] = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON text on SQLite, JSONB on PostgreSQL; Python's None is SQL's NULL."""


class Base(DeclarativeBase):
    """Base of every table's class."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UtcTime(TypeDecorator[datetime]):
    """A point in time: timezone-aware UTC in Python, `timestamptz` on PostgreSQL, sortable UTC text on SQLite.

    Raises:
        ValueError: a naive datetime is bound.
        RowDamaged: what is stored is no time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value!r} has no timezone; expected an aware datetime")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        read = super().result_processor(dialect, coltype)
        if read is None:
            return None

        def read_or_say_damaged(stored: Any) -> datetime | None:
            try:
                return read(stored)
            except (TypeError, ValueError) as error:
                raise RowDamaged("a stored value is no time") from error

        return read_or_say_damaged


class db_now(FunctionElement[datetime]):  # noqa: N801 - it is written and read like SQL's own functions
    """The database's clock plus `offset_seconds`: the only clock that leases and wake-ups are judged by.

    The time at which the row is looked at, not the start of the transaction: on PostgreSQL a transaction may have
    waited for a lock since it began.
    """

    name = "db_now"
    type = UtcTime()
    inherit_cache = True

    def __init__(self, offset_seconds: float | ColumnElement[Any] = 0.0) -> None:
        offset = offset_seconds if isinstance(offset_seconds, ColumnElement) else bindparam(None, offset_seconds, Float())
        super().__init__(offset)


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **kwargs: Any) -> str:
    # The same form as stored values (six decimals), so that comparing text compares times.
    offset = compiler.process(element.clauses, **kwargs)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', (({offset}) || ' seconds'))"


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: SQLCompiler, **kwargs: Any) -> str:
    offset = compiler.process(element.clauses, **kwargs)
    return f"(clock_timestamp() + make_interval(secs => CAST({offset} AS double precision)))"


class are_among(FunctionElement[bool]):  # noqa: N801 - as `db_now`
    """Whether all texts of a column's JSON list are among `texts`. What is no JSON is not."""

    name = "are_among"
    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any] | InstrumentedAttribute[Any], texts: Sequence[str]) -> None:
        super().__init__(column, bindparam(None, json.dumps(list(texts)), Text()))


@compiles(are_among, "sqlite")
def _sqlite_among(element: are_among, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, texts = (compiler.process(clause, **kwargs) for clause in element.clauses)
    strays = f"SELECT 1 FROM json_each({column}) WHERE value NOT IN (SELECT value FROM json_each({texts}))"  # noqa: S608 (names)
    return f"CASE WHEN json_valid({column}) THEN NOT EXISTS ({strays}) ELSE 0 END"


@compiles(are_among, "postgresql")
def _postgresql_among(element: are_among, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, texts = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"({column} <@ CAST({texts} AS JSONB))"


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """CHECK that a text column holds one of `values`."""
    choices = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({choices})", name=column)
