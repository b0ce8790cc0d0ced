"""A service below a path of a proxy: everything that it says about itself leads back to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from api.bootstrap import make_bootstrap_key
from ewc_client import EWCClient
from ewc_client.errors import ConfigurationError
from store.job_states import JobStatus
from store.unit_of_work import Database
from tests.api.conftest import listening, settings_for
from tests.api.lives import SPEC, add_checkpoint, bring_to
from tests.ewc_client.conftest import QUICK
from tests.ewc_client.reverse_proxy import reverse_proxy

ROOT = "/tools/ewc"


@pytest.fixture(params=[True, False], ids=["stripped", "kept"])
def below(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[tuple[str, str, Database]]:
    """The service's URL below the proxy's path, a key, and the database."""
    database = Database(sqlite_url)
    make_bootstrap_key(database, tmp_path / "api_key")
    settings = settings_for(sqlite_url, tmp_path).model_copy(update={"api_root_path": ROOT})
    with listening(settings) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        with reverse_proxy(f"http://127.0.0.1:{port}", below=ROOT, strips=request.param) as url:
            yield url, (tmp_path / "api_key").read_text().strip(), database
    database.close()


def test_the_client_works_below_a_path(below: tuple[str, str, Database], tmp_path: Path) -> None:
    url, key, database = below
    with EWCClient(f"{url}/", key, retries=QUICK) as client:
        job = client.jobs.create(SPEC)
        checkpoint = add_checkpoint(database, job.id, b"content")
        bring_to(database, job.id, JobStatus.SUCCEEDED)
        assert [event.seq for event in job.events()][:2] == [1, 2]
        assert client.download(checkpoint.id, tmp_path / "file").size == 7
        assert [one.id for one in client.jobs.list()] == [job.id]
        assert client.version()["version"]


def test_every_link_leads_back(below: tuple[str, str, Database]) -> None:
    url, key, database = below
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as http:
        made = http.post(f"{url}/v1/jobs", json=SPEC)
        location = urljoin(str(made.url), made.headers["Location"])
        assert http.get(location).json()["id"] == made.json()["id"]
        checkpoint = add_checkpoint(database, made.json()["id"], b"content")
        shown = http.get(f"{url}/v1/checkpoints/{checkpoint.id}")
        assert http.get(urljoin(str(shown.url), shown.json()["links"]["content"])).content == b"content"
        links = [*made.json()["links"].values(), *shown.json()["links"].values()]
        assert all(link.startswith(f"{ROOT}/v1/") for link in links)
        problem = http.get(f"{url}/v1/jobs/absent").json()
        assert problem["instance"] == f"{ROOT}/v1/jobs/absent"
        assert "Not found" in http.get(urljoin(url, problem["type"])).text
        assert http.get(f"{url}/nothing").json()["instance"] == f"{ROOT}/nothing"
        assert http.post(f"{url}/healthz").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_the_document_and_its_pages_say_where_they_are(below: tuple[str, str, Database]) -> None:
    url, _, _ = below
    assert httpx.get(f"{url}/openapi.json", timeout=60).json()["servers"] == [{"url": ROOT}]
    for page in ("docs", "redoc"):
        assert f"{ROOT}/openapi.json" in httpx.get(f"{url}/{page}", timeout=60).text


def test_headers_of_a_proxy_are_not_believed(below: tuple[str, str, Database]) -> None:
    url, key, _ = below
    forged = {
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil",
    }
    with httpx.Client(headers={"Authorization": f"Bearer {key}", **forged}) as http:
        made = http.post(f"{url}/v1/jobs", json=SPEC)
        assert "evil" not in made.text + made.headers["Location"] + http.get(f"{url}/docs").text


@pytest.mark.parametrize("url", ["http://host/sub?x=1", "http://host/sub#part", "host/sub", "http://"])
def test_a_url_that_paths_cannot_be_added_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not one"):
        EWCClient(url, "key")
