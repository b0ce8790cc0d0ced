"""The real API on a real socket, and clients for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.app import create_app
from api.bootstrap import make_bootstrap_key
from api.server import Server
from api.settings import ApiSettings
from ewc_client import EWCClient
from ewc_client.transport import RetryPolicy
from store.unit_of_work import Database

QUICK = RetryPolicy(first_wait_seconds=0.001, longest_wait_seconds=0.002, longest_retry_after_seconds=0.01)


@dataclass(frozen=True)
class Service:
    """A listening API, its database, and a key for it."""

    url: str
    key: str
    database: Database


@pytest.fixture(autouse=True)
def _no_service_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests find no service but the one that they start, and print as on any machine."""
    for name in ("EWC_URL", "EWC_API_KEY", "EWC_API_PORT", "EWC_API_HOST", "EWC_DATABASE_URL", "EWC_BROKER_URL", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EWC_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The API without a worker: jobs stay where a test puts them."""
    database = Database(sqlite_url)
    settings = ApiSettings(database_url=sqlite_url, state_dir=tmp_path / "api", broker_url="filesystem://", reap_seconds=3600)
    make_bootstrap_key(database, tmp_path / "api_key")
    server = Server(create_app(settings), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Service(f"http://127.0.0.1:{port}", (tmp_path / "api_key").read_text().strip(), database)
    finally:
        server.should_exit = True
        thread.join()
        database.close()


@pytest.fixture
def client(service: Service) -> Iterator[EWCClient]:
    """A client that may do everything."""
    with EWCClient(service.url, service.key, retries=QUICK) as client:
        yield client
