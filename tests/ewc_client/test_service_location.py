"""Which service is asked, and which key it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ewc_client import EWCClient
from ewc_client.embedded.state_directory import StateDirectory
from ewc_client.errors import ConfigurationError
from ewc_client.service_location import ServiceLocation, find_service, is_locked

URL = "http://127.0.0.1:4321"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    """A state directory that a live service holds."""
    state = StateDirectory(tmp_path / "state")
    state.acquire()
    state.announce(URL)
    state.key_file.write_text("ewc_live_local\n")
    yield state
    state.release()


def test_nothing_configured_and_nothing_running_is_nothing() -> None:
    assert find_service() is None
    with pytest.raises(ConfigurationError, match="ewc up"):
        EWCClient()


def test_a_service_on_the_state_directory_is_found_with_its_key(state: StateDirectory) -> None:
    assert find_service() == ServiceLocation(URL, "ewc_live_local", str(state.service_file))


def test_arguments_win_over_the_environment_and_the_environment_over_the_state_directory(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EWC_URL", "http://env:1")
    monkeypatch.setenv("EWC_API_KEY", "ewc_live_env")
    assert find_service() == ServiceLocation("http://env:1", "ewc_live_env", "EWC_URL")
    assert find_service("http://arg:1", "ewc_live_arg") == ServiceLocation("http://arg:1", "ewc_live_arg", "--url")


def test_the_local_key_is_sent_to_no_other_url(state: StateDirectory) -> None:
    other, own = find_service("http://elsewhere:1"), find_service(URL + "/")
    assert other is not None
    assert own is not None
    assert (other.api_key, own.api_key) == (None, "ewc_live_local")


def test_a_service_file_that_nobody_holds_is_history(state: StateDirectory) -> None:
    state.release()
    state.service_file.write_text(json.dumps({"url": URL, "pid": 1}))
    assert not is_locked(state.path)
    assert find_service() is None


def test_a_service_that_is_still_starting_is_not_found(state: StateDirectory) -> None:
    state.service_file.unlink()
    assert find_service() is None


def test_a_broken_service_file_is_an_error(state: StateDirectory) -> None:
    state.service_file.write_text("{")
    with pytest.raises(ConfigurationError, match="not readable as a service file"):
        find_service()


@pytest.mark.parametrize("name", ["service.json", "api_key"])
@pytest.mark.parametrize("broken", ["a folder", "no text"])
def test_a_file_of_the_state_directory_that_cannot_be_read_is_named(state: StateDirectory, name: str, broken: str) -> None:
    file = state.path / name
    file.unlink()
    file.mkdir() if broken == "a folder" else file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=rf"^{file}[^\n]*$"):
        find_service()
    assert find_service(URL, "key") == ServiceLocation(URL, "key", "--url"), "who names a service and a key needs no folder"


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/nowhere"), lambda path: None])
def test_where_no_state_directory_is_nothing_runs(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "state")
    assert find_service() is None


def test_a_working_directory_that_was_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EWC_STATE_DIR")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigurationError, match="working directory does not exist"):
        find_service()
    monkeypatch.chdir(tmp_path)
