"""The state directory and who holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ewc_client.embedded.state_directory import AlreadyRunningError, EmbeddedError, StateDirectory


def test_the_directory_belongs_to_its_user_alone_unless_the_user_made_it_otherwise(tmp_path: Path) -> None:
    made, found = tmp_path / "deep" / "state", tmp_path / "found"
    found.mkdir()
    found.chmod(0o750)
    for path, mode in ((made, 0o700), (found, 0o750)):
        state = StateDirectory(path)
        state.acquire()
        assert path.stat().st_mode & 0o777 == mode
        assert state.logs.stat().st_mode & 0o777 == 0o700
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


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    """A state directory that this test holds."""
    state = StateDirectory(tmp_path / "state")
    state.acquire()
    yield state
    state.release()


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Modes, times and contents of everything below a folder, and of the folder itself."""
    found = [folder, *sorted(folder.rglob("*"))]
    return {
        str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in found
    }


def test_who_is_refused_changes_nothing_and_releases_nothing(state: StateDirectory) -> None:
    state.announce("http://127.0.0.1:1")
    state.key_file.write_text("key")
    os.write(state.open_log("api"), b"a line")
    state.path.chmod(0o755)
    before = snapshot(state.path)
    second = StateDirectory(state.path)
    with pytest.raises(AlreadyRunningError):
        second.acquire()
    second.release()
    assert snapshot(state.path) == before
    third = StateDirectory(state.path)
    with pytest.raises(AlreadyRunningError):
        third.acquire()


def _file(path: Path) -> None:
    path.write_text("mine")


@pytest.mark.parametrize(
    ("where", "make"),
    [
        ("", _file),
        ("", lambda path: path.symlink_to("/nowhere/at/all")),
        ("logs", _file),
        ("owner.lock", Path.mkdir),
        ("up.lock", Path.mkdir),
        ("service.json", Path.mkdir),
    ],
    ids=["a-file", "a-dangling-link", "logs-a-file", "owner-lock-a-folder", "lock-a-folder", "service-file-a-folder"],
)
def test_what_is_in_the_way_is_named_on_one_line_and_left_alone(tmp_path: Path, where: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / "state"
    if where:
        path.mkdir(mode=0o700)
    make(path / where if where else path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    state = StateDirectory(path)
    with pytest.raises(EmbeddedError, match=rf"^state directory {path} cannot be used: .*{where}.*EWC_STATE_DIR[^\n]*$"):
        state.acquire()
    state.release()
    assert {file: file.read_bytes() for file in before} == before
    if where:  # what is in the way is not held either: whoever removes it can start
        (path / where).unlink() if (path / where).is_file() else (path / where).rmdir()
        state.acquire()
        state.release()


@pytest.mark.parametrize("path", ["/proc/ewc-state", "/sys/kernel/ewc-state", "/" + "x" * 300])
def test_a_place_where_nothing_can_be_made_is_refused(path: str) -> None:
    with pytest.raises(EmbeddedError, match=r"cannot be used: .*EWC_STATE_DIR"):
        StateDirectory(Path(path)).acquire()


def test_a_log_that_is_a_folder_and_an_address_that_cannot_be_written_are_errors(state: StateDirectory) -> None:
    state.log_file("api").mkdir()
    with pytest.raises(EmbeddedError, match=r"Is a directory \(.*api\.log\)"):
        state.open_log("api")
    (state.path / "service.part").mkdir()
    with pytest.raises(EmbeddedError, match=r"Is a directory \(.*service\.part\)"):
        state.announce("http://127.0.0.1:1")


def test_a_very_long_log_keeps_its_last_whole_lines(state: StateDirectory) -> None:
    log = state.open_log("api")
    os.write(log, b"x" * 11 * 1024 * 1024 + b"\nthe last line\n")
    state.trim_logs()
    os.write(log, b"goes on\n")
    os.close(log)
    assert state.log_file("api").read_bytes() == b"goes on\n"
    assert (state.logs / "api.log.1").read_bytes() == b"the last line\n"


def test_without_room_for_the_old_log_the_new_one_is_emptied_all_the_same(state: StateDirectory) -> None:
    log = state.open_log("api")
    os.truncate(log, 11 * 1024 * 1024)
    os.close(log)
    (state.logs / "api.log.1").mkdir()  # as good as a full disk: it cannot be replaced
    state.trim_logs()
    assert state.log_file("api").stat().st_size == 0
    assert sorted(path.name for path in state.logs.iterdir()) == ["api.log", "api.log.1"]


def test_the_last_line_of_a_log_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert StateDirectory(tmp_path).last_line("api") == ""
