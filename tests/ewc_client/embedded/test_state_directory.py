"""The state directory and who holds it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ewc_client.embedded.state_directory import AlreadyRunningError, EmbeddedError, StateDirectory


def test_the_directory_belongs_to_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state"
    path.mkdir(parents=True, mode=0o755)
    state = StateDirectory(path)
    state.acquire()
    assert path.stat().st_mode & 0o777 == 0o700
    state.release()


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first, second = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "state")
    first.acquire()
    with pytest.raises(AlreadyRunningError, match="is starting or stopping"):
        second.acquire()
    first.announce("http://127.0.0.1:1")
    with pytest.raises(AlreadyRunningError, match=rf"already runs on .*: http://127\.0\.0\.1:1 \(process {os.getpid()}\)"):
        second.acquire()
    first.release()
    second.acquire()
    assert not second.service_file.exists()
    second.release()


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be used"):
        StateDirectory(tmp_path / "file" / "state").acquire()


def test_a_very_long_log_is_put_aside(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.acquire()
    os.truncate(state.open_log("api"), 11 * 1024 * 1024)
    os.close(state.open_log("api"))
    assert (state.logs / "api.log").stat().st_size == 0
    assert (state.logs / "api.log.1").stat().st_size == 11 * 1024 * 1024
    state.release()


def test_the_tail_of_a_log_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert StateDirectory(tmp_path).log_tail("api") == ""
