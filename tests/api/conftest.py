"""The real app on a real database, and callers of several owners."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.api_key_format import new_key
from api.app import create_app
from api.security import Scope
from api.server import Server
from api.settings import ApiSettings
from store.unit_of_work import Database
from tests.api.lives import SPEC

with warnings.catch_warnings():
    # Starlette would rather have httpx2, its own fork of the client; the two behave alike here.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ALL_SCOPES = [scope.value for scope in Scope]


def make_key(database: Database, *, owner: str = "alice", scopes: list[str] | None = None) -> str:
    """A key of the owner, as text."""
    key = new_key()
    with database.write() as work:
        work.api_keys.create(
            owner=owner,
            name="test",
            scopes=ALL_SCOPES if scopes is None else scopes,
            prefix=key.prefix,
            secret_sha256=key.secret_sha256,
        )
    return key.text


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> ApiSettings:
    url = database.engine.url.render_as_string(hide_password=False)
    return ApiSettings(
        database_url=url, state_dir=tmp_path / "state", data_dir=None, broker_url="filesystem://", sweep_seconds=3600
    )


@pytest.fixture
def app(settings: ApiSettings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    """A caller without a key; the app runs as long as this fixture."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def caller(app: FastAPI, anonymous: TestClient, database: Database) -> Callable[..., TestClient]:
    """Makes callers: `caller(owner="bob", scopes=["jobs:read"])`."""

    def _caller(owner: str = "alice", scopes: list[str] | None = None) -> TestClient:
        client = TestClient(app, raise_server_exceptions=False)
        client.headers["Authorization"] = f"Bearer {make_key(database, owner=owner, scopes=scopes)}"
        return client

    return _caller


@pytest.fixture
def client(caller: Callable[..., TestClient]) -> TestClient:
    """Alice, who may do everything."""
    return caller()


@pytest.fixture
def submit(client: TestClient) -> Callable[..., str]:
    """Submits one of Alice's jobs and returns its id: `submit(stream="open")`."""

    def _submit(**changes: object) -> str:
        response = client.post("/v1/jobs", json={**SPEC, **changes})
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    return _submit


@pytest.fixture
def served(app: FastAPI, database: Database) -> Iterator[httpx.Client]:
    """Alice, speaking to a listening server: for what needs a real connection."""
    server = Server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {make_key(database)}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join()
