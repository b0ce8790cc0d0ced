"""What is no database of this version is refused on one line, and left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from ewc_core.errors import StoreUnavailable
from migrations import run
from migrations.__main__ import main
from store.unit_of_work import Database


def _refused(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["--database-url", url, "upgrade"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), "EWC_DATABASE_URL" in err) == ("", 1, True)
    return err


@pytest.mark.parametrize("content", [b"no database at all" * 100, bytes(range(256)) * 64, b"SQLite format 3\x00" + bytes(4096)])
def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    file = tmp_path / "ewc.db"
    file.write_bytes(content)
    said = _refused(f"sqlite:///{file}", capsys)
    assert "is not a database" in said
    assert str(file) in said
    assert file.read_bytes() == content


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "ewc.db").touch()
    assert main(["--database-url", f"sqlite:///{tmp_path / 'ewc.db'}", "upgrade"]) == 0


@pytest.mark.parametrize("name", ["ewc.db", "ewc.db.migrating"])
def test_a_folder_in_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / name).mkdir()
    assert str(tmp_path / "ewc.db") in _refused(f"sqlite:///{tmp_path / 'ewc.db'}", capsys)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "is not a URL"),
        ("postgresql://u:secret@host:port/x", "is not a URL"),
        ("mysql://u:secret@host/x", "of an unknown kind"),
        ("postgresql://u:secret@127.0.0.1:1/x", "Connection refused"),
        ("postgresql://u:secret@127.0.0.1:1/x?foo=bar", "invalid connection option"),
        ("sqlite:////proc/nothing/ewc.db", "No such file or directory"),
    ],
)
def test_a_url_that_leads_to_none(capsys: pytest.CaptureFixture[str], url: str, says: str) -> None:
    said = _refused(url, capsys)
    assert says in said
    assert "secret" not in said


def test_a_database_of_a_newer_version(bare_database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    run.upgrade(bare_database_url)
    database = Database(bare_database_url)
    with database.write() as work:
        work.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    said = _refused(bare_database_url, capsys)
    assert "'9999'" in said
    assert "newer version" in said
    assert database.schema_revision() == "9999"
    database.close()


@pytest.mark.parametrize("read", [Database.ping, Database.schema_revision])
def test_a_damaged_file_is_an_unavailable_store_to_every_process(tmp_path: Path, read: Callable[[Database], object]) -> None:
    (tmp_path / "ewc.db").write_bytes(b"no database at all" * 100)
    database = Database(f"sqlite:///{tmp_path / 'ewc.db'}")
    with pytest.raises(StoreUnavailable, match="is not a database"):
        read(database)
    database.close()


def test_settings_that_are_refused_are_named_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EWC_LEASE_SECONDS", "soon")
    monkeypatch.setenv("EWC_SWEEP_SECONDS", "-1")
    monkeypatch.setenv("EWC_BROKER_URL", "carrier-pigeon://user:secret@host")
    assert main(["current"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "EWC_LEASE_SECONDS is 'soon'" in said
    assert "EWC_REAP_SECONDS (or its old name EWC_SWEEP_SECONDS) is '-1'" in said
    assert "EWC_BROKER_URL is not usable: expected filesystem:// or something like redis://host:6379/0" in said
    assert "secret" not in said


def test_what_is_made_is_for_its_user_alone_and_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    url = f"sqlite:///{folder / 'ewc.db'}"
    run.upgrade(url)
    database = Database(url)
    database.ping()
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes == dict.fromkeys(["ewc.db", "ewc.db-wal", "ewc.db-shm", "ewc.db.migrating"], 0o600)
    database.close()
    (folder / "ewc.db").chmod(0o640)
    run.upgrade(url)
    assert (folder / "ewc.db").stat().st_mode & 0o777 == 0o640
