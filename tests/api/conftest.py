"""The real app on a real database, and callers of several owners.

Starting an app and making a database take longer than most tests: both are shared by the tests of a file, on each
engine. What keeps tests apart is what keeps customers apart: every test has an owner of its own.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.api_key_format import new_key
from api.app import create_app
from api.caller import Scope
from api.server import Server
from api.settings import ApiSettings
from store.unit_of_work import Database
from tests.api.lives import SPEC

with warnings.catch_warnings():
    # Starlette would rather have httpx2, its own fork of the client; the two behave alike here.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

OWNER_SCOPES = [scope.value for scope in Scope if scope is not Scope.OPERATOR]
_numbers = itertools.count(1)


def make_key(database: Database, *, owner: str, scopes: list[str] | None = None) -> str:
    """A key of the owner, as text."""
    key = new_key()
    scopes = OWNER_SCOPES if scopes is None else scopes
    with database.write() as work:
        work.api_keys.create(owner=owner, name="test", scopes=scopes, prefix=key.prefix, secret_sha256=key.secret_sha256)
    return key.text


def settings_for(database_url: str, state_dir: Path) -> ApiSettings:
    """An embedded service without data sets, whose reaper stays out of the way."""
    return ApiSettings(
        database_url=database_url, state_dir=state_dir, data_dir=None, broker_url="filesystem://", reap_seconds=3600
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database on each engine, for all tests of a file."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("database") / "ewc.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = server.create_database(template=request.getfixturevalue("_postgresql_template"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> ApiSettings:
    return settings_for(database_url, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def app(settings: ApiSettings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="module")
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    """A caller without a key; the app runs as long as this fixture."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def owner() -> str:
    """An owner whom no other test knows."""
    return f"owner-{next(_numbers)}"


@pytest.fixture
def caller(app: FastAPI, anonymous: TestClient, database: Database) -> Callable[..., TestClient]:
    """Makes callers, each of an owner of its own: `caller(scopes=["jobs:read"])`."""

    def _caller(owner: str | None = None, scopes: list[str] | None = None) -> TestClient:
        client = TestClient(app, raise_server_exceptions=False)
        client.portal = anonymous.portal  # the event loop of the running app, instead of a new one for each request
        key = make_key(database, owner=owner or f"owner-{next(_numbers)}", scopes=scopes)
        client.headers["Authorization"] = f"Bearer {key}"
        return client

    return _caller


@pytest.fixture
def client(caller: Callable[..., TestClient], owner: str) -> TestClient:
    """The test's owner, who may do everything that an owner may do."""
    return caller(owner)


@pytest.fixture
def submit(client: TestClient) -> Callable[..., str]:
    """Submits a job of the test's owner and returns its id: `submit(stream="open")`."""

    def _submit(**changes: object) -> str:
        response = client.post("/v1/jobs", json={**SPEC, **changes})
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    return _submit


@contextmanager
def listening(settings: ApiSettings) -> Iterator[Server]:
    """An app of its own on a free port."""
    server = Server(create_app(settings), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        yield server
    finally:
        server.should_exit = True
        thread.join()


def speaking_to(server: Server, database: Database, owner: str) -> httpx.Client:
    """A client of the listening server, with a key of the owner."""
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {make_key(database, owner=owner)}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20)


@pytest.fixture(scope="module")
def server(settings: ApiSettings) -> Iterator[Server]:
    with listening(settings) as server:
        yield server


@pytest.fixture
def served(server: Server, database: Database, owner: str) -> Iterator[httpx.Client]:
    """The test's owner over a real connection: for what an in-process client cannot do."""
    with speaking_to(server, database, owner) as client:
        yield client
