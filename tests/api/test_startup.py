"""Starting: refused with one clear line on the wrong database; the first key; clean stop."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time

import httpx
import pytest
from pydantic import ValidationError

from api.__main__ import main
from api.api_key_format import parse_key
from api.app import create_app
from api.bootstrap import make_bootstrap_key
from api.security import authenticate
from api.settings import ApiSettings
from ewc_core.errors import StoreUnavailable
from store.job_states import JobStatus
from store.unit_of_work import Database
from tests.api.conftest import TestClient, listening, make_key, settings_for
from tests.api.lives import SPEC, bring_to
from tests.inherited_signals import as_nohup_does
from tests.store.conftest import expire_lease

pytestmark = pytest.mark.both_engines


def _api(database_url: str, **environment: object) -> subprocess.Popen[str]:
    settings = {"EWC_DATABASE_URL": database_url, "EWC_API_PORT": "0", **environment}
    texts = {name: str(value) for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-m", "api"], env={**os.environ, **texts}, stderr=subprocess.PIPE, text=True, preexec_fn=as_nohup_does
    )


@pytest.mark.parametrize("case", ["not migrated", "not there", "not a port"])
def test_a_service_that_cannot_start_says_why_and_exits(tmp_path, case):
    url = f"sqlite:///{tmp_path}/{'missing/' if case == 'not there' else ''}ewc.db"
    process = _api(url, **({"EWC_API_PORT": "70000"} if case == "not a port" else {}))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr.startswith("the API cannot start: ")
    assert "Traceback" not in stderr
    expected = {
        "not migrated": "run: python -m migrations upgrade",
        "not there": "unable to open",
        "not a port": "EWC_API_PORT is '70000'",
    }
    assert expected[case] in stderr


@pytest.fixture(params=["port", "host", "key file", "no database", "broker", "limits"])
def wrong(request, sqlite_url, tmp_path):
    """Settings that cannot work, and what is said about them."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings, says = {
            "port": ({"EWC_API_PORT": port}, f"EWC_API_PORT {port} cannot be listened on: Address already in use"),
            "host": ({"EWC_API_HOST": "a..b"}, "EWC_API_HOST 'a..b'"),
            "key file": (
                {"EWC_BOOTSTRAP_KEY_FILE": str(tmp_path / "folder")},
                f"EWC_BOOTSTRAP_KEY_FILE {tmp_path / 'folder'} cannot be used: Is a directory",
            ),
            "no database": (
                {"EWC_DATABASE_URL": f"sqlite:///{tmp_path / 'file'}"},
                "file is not a database; restore it from a backup",
            ),
            "broker": ({"EWC_STATE_DIR": str(tmp_path / "file")}, str(tmp_path / "file" / "broker")),
            "limits": ({"EWC_MAX_BODY_BYTES": "few", "EWC_LEASE_SECONDS": "-1"}, "EWC_MAX_BODY_BYTES is 'few'"),
        }[request.param]
        yield {"EWC_DATABASE_URL": sqlite_url, "EWC_STATE_DIR": str(tmp_path), "EWC_API_PORT": "0", **settings}, says
    assert (tmp_path / "file").read_text() == "mine"


def test_a_wrong_setting_is_said_on_one_line(wrong, monkeypatch, capsys):
    settings, says = wrong
    monkeypatch.setattr("sys.argv", ["api"])
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert main() == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("the API cannot start: ")
    assert says in err


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        ("", True),
        ("/x", True),
        ("/tools/ewc-2.0_~", True),
        ("x", False),
        ("/x/", False),
        ("/", False),
        ("//x", False),
        ("/x//y", False),
        ("/x?y", False),
        ("/x#y", False),
        ("/x y", False),
        ("/../x", False),
        ("/x/.", False),
        ("http://host/x", False),
        ("/v1", False),
        ("/docs/ewc", False),
        ("/api/v1", False),
        ("/v1x", True),
    ],
)
def test_a_root_path_is_a_path_without_an_end_and_not_one_of_ours(given, accepted):
    if accepted:
        assert ApiSettings(api_root_path=given).api_root_path == given
    else:
        with pytest.raises(ValidationError, match="api_root_path"):
            ApiSettings(api_root_path=given)


def test_an_app_on_another_server_refuses_the_wrong_schema_too(tmp_path):
    with pytest.raises(StoreUnavailable, match="python -m migrations upgrade"), TestClient(create_app(_embedded(tmp_path))):
        pass


def test_a_started_service_writes_its_first_key_answers_and_stops_at_a_signal(sqlite_url, tmp_path):
    key_file = tmp_path / "keys" / "api_key"
    with _api(sqlite_url, EWC_STATE_DIR=tmp_path, EWC_BOOTSTRAP_KEY_FILE=key_file) as process:
        assert process.stderr is not None
        try:
            first = process.stderr.readline()
            assert "listening on http://127.0.0.1:" in first
            headers = {"Authorization": f"Bearer {key_file.read_text().strip()}"}
            keys = httpx.get(f"http://127.0.0.1:{first.rsplit(':', 1)[1].strip()}/v1/api-keys", headers=headers).json()
            assert [key["owner"] for key in keys["data"]] == ["default"]
            assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
            assert "GET /v1/api-keys 200" in process.stderr.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                _, rest = process.communicate(timeout=40)
            finally:
                process.kill()
    assert rest == "", "a clean stop is silent"


def _start_once(settings) -> None:
    with TestClient(create_app(settings)):
        pass


def _embedded(tmp_path):
    return settings_for(f"sqlite:///{tmp_path}/ewc.db", tmp_path)


def test_the_first_key_is_made_once_and_made_again_when_its_file_is_gone(sqlite_url, tmp_path):
    file = tmp_path / "api_key"
    settings = settings_for(sqlite_url, tmp_path).model_copy(update={"bootstrap_key_file": file})
    _start_once(settings)
    first = file.read_text()
    assert parse_key(first.strip()) is not None
    _start_once(settings)
    assert file.read_text() == first
    file.unlink()
    _start_once(settings)
    assert file.read_text() != first


def test_a_file_left_by_another_database_is_replaced_by_a_key_that_works(sqlite_url, tmp_path):
    file = tmp_path / "api_key"
    file.write_text("ewc_live_old")
    settings = settings_for(sqlite_url, tmp_path).model_copy(update={"bootstrap_key_file": file})
    with TestClient(create_app(settings)) as client:
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {file.read_text().strip()}"}).status_code == 200


def test_without_a_file_no_key_is_made(sqlite_url, tmp_path):
    _start_once(settings_for(sqlite_url, tmp_path))
    database = Database(sqlite_url)
    with database.read() as work:
        assert work.api_keys.count() == 0
    database.close()


def test_a_running_service_sweeps(sqlite_url, tmp_path, owner):
    settings = settings_for(sqlite_url, tmp_path).model_copy(update={"reap_seconds": 0.05})
    database = Database(sqlite_url)
    with listening(settings) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        headers = {"Authorization": f"Bearer {make_key(database, owner=owner)}"}
        job_id = httpx.post(f"http://127.0.0.1:{port}/v1/jobs", json=SPEC, headers=headers).json()["id"]
        bring_to(database, job_id, JobStatus.RUNNING)
        expire_lease(database, job_id)  # only now: while it is brought there, the sweeps would find it too
        deadline = time.monotonic() + 20
        while _status(database, job_id) is not JobStatus.QUEUED:
            assert time.monotonic() < deadline
    database.close()


def _status(database: Database, job_id: str) -> JobStatus:
    with database.read() as work:
        return work.jobs.get(job_id).status


@pytest.mark.parametrize("kept", [0, 10, 40])
def test_a_key_file_of_which_only_a_part_is_left_is_written_anew(sqlite_url, tmp_path, kept):
    file = tmp_path / "api_key"
    database = Database(sqlite_url)
    assert make_bootstrap_key(database, file)
    assert not make_bootstrap_key(database, file)
    file.write_text(file.read_text()[:kept])
    assert make_bootstrap_key(database, file)
    assert authenticate(database, f"Bearer {file.read_text().strip()}").owner == "default"
    database.close()
