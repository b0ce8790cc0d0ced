"""A worker that cannot start says why on one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.__main__ import main


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("EWC_WORKER_SLOTS", "0", "EWC_WORKER_SLOTS is '0'"),
        ("EWC_FLUSH_SECONDS", "soon", "EWC_FLUSH_SECONDS is 'soon'"),
        ("EWC_BROKER_URL", "pigeon://secret@x", "EWC_BROKER_URL is not usable"),
        ("EWC_DATABASE_URL", "nonsense", "is not a URL"),
        ("EWC_DATABASE_URL", "sqlite:///FILE", "file is not a database (EWC_DATABASE_URL"),
        ("EWC_STATE_DIR", "FILE", "the broker's folders in EWC_STATE_DIR cannot be made: Not a directory"),
    ],
)
def test_a_wrong_setting_is_said_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, says: str
) -> None:
    (tmp_path / "file").write_text("no database at all" * 100)
    monkeypatch.setenv("EWC_STATE_DIR", str(tmp_path))
    monkeypatch.setenv(name, value.replace("FILE", str(tmp_path / "file")))
    assert main([]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("the worker cannot start: ")
    assert says in err
    assert "secret" not in err


def test_settings_can_be_looked_at_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EWC_STATE_DIR", str(tmp_path))
    assert main(["--check"]) == 0
    assert not (tmp_path / "ewc.db").exists()
