"""The servers of a test session are missed loudly and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import redis

from tests.backends.fixtures import start_or_skip
from tests.backends.postgresql import PostgreSQLServer, start_postgresql
from tests.backends.redis import RedisServer, start_redis
from tests.backends.server_process import ServerUnavailable


def unavailable() -> object:
    """A server that cannot be started."""
    raise ServerUnavailable("no such server here")


def test_a_missing_server_skips_the_test_and_says_why(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such server here"):
        start_or_skip(unavailable)


def test_under_ci_a_missing_server_fails_the_test(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such server here"):
        start_or_skip(unavailable)


@pytest.mark.parametrize("start", [start_postgresql, start_redis])
def test_binaries_that_do_not_work_are_reported_with_their_reasons(start, tmp_path: Path):
    (tmp_path / "initdb").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ServerUnavailable) as reported:
        start([tmp_path, tmp_path / "nothing"])
    assert str(tmp_path / "nothing") in str(reported.value)


def test_a_stopped_postgresql_is_gone(postgresql_server: PostgreSQLServer):
    server = start_postgresql([postgresql_server.binaries])
    name = server.create_database()
    url = server.url(name).replace("+psycopg", "")
    psycopg.connect(url).close()
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_stopped_redis_is_gone(redis_server: RedisServer):
    server = start_redis([redis_server.binary])
    server.stop()
    with server.client() as client, pytest.raises(redis.ConnectionError):
        client.ping()
