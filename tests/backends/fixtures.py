"""Fixtures: empty databases on both engines, and both stacks of database and broker.

Servers are started once per test process, on first use. Every schema was made by the migrations.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from migrations import run
from store.tables import Base
from store.unit_of_work import Database
from tests.backends.postgresql import PostgreSQLServer, start_postgresql
from tests.backends.redis import RedisServer, start_redis
from tests.backends.server_process import ServerUnavailable
from tests.marks import STACKS

ENGINES = ("sqlite", "postgresql")
_Server = TypeVar("_Server")


@dataclass(frozen=True)
class Stack:
    """A migrated, empty database and an empty broker. `environment` tells processes about both."""

    name: str
    database_url: str
    broker_url: str
    state_dir: Path

    @property
    def broker_dir(self) -> Path:
        """Folder of the filesystem broker."""
        return self.state_dir / "broker"

    @property
    def environment(self) -> dict[str, str]:
        """Settings for processes of the service."""
        return {
            "EWC_DATABASE_URL": self.database_url,
            "EWC_BROKER_URL": self.broker_url,
            "EWC_STATE_DIR": str(self.state_dir),
        }


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """This test process's own PostgreSQL."""
    server = start_or_skip(start_postgresql)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """This test process's own Redis."""
    server = start_or_skip(start_redis)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "ewc.db"
    run.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: PostgreSQLServer) -> str:
    name = postgresql_server.create_database()
    run.upgrade(postgresql_server.url(name))
    return name


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite file."""
    file = tmp_path / "ewc.db"
    shutil.copy(_sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture(scope="session")
def _postgresql_name(postgresql_server: PostgreSQLServer, _postgresql_template: str) -> str:
    return postgresql_server.create_database(template=_postgresql_template)


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer, _postgresql_name: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database: one per test process, emptied after each test, which is much faster than a copy."""
    yield postgresql_server.url(_postgresql_name)
    postgresql_server.empty_database(_postgresql_name, tables=[table.name for table in Base.metadata.sorted_tables])


@pytest.fixture
def own_postgresql_url(postgresql_server: PostgreSQLServer, _postgresql_template: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database of this test alone, for tests with processes that might outlive them."""
    name = postgresql_server.create_database(template=_postgresql_template)
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=ENGINES)
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table on each engine; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    server: PostgreSQLServer = request.getfixturevalue("postgresql_server")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The empty record on each engine."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    """What a service runs on: SQLite with the filesystem broker, or PostgreSQL with Redis."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    if request.param == "embedded":
        return Stack("embedded", request.getfixturevalue("sqlite_url"), "filesystem://", state_dir)
    redis_server: RedisServer = request.getfixturevalue("redis_server")
    redis_server.empty()
    return Stack("servers", request.getfixturevalue("own_postgresql_url"), redis_server.url, state_dir)


def start_or_skip(start: Callable[[], _Server]) -> _Server:
    """The started server; without one the test is skipped, or fails where `CI` is `true`."""
    try:
        return start()
    except ServerUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"under CI every backend has to be there: {reason}")
        pytest.skip(str(reason))
