"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from store.settings import StoreSettings


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BROKER_URL", "STATE_DIR", "DATA_DIR", "LEASE_SECONDS", "HEARTBEAT_SECONDS", "REAP_SECONDS"):
        monkeypatch.delenv(f"EWC_{name}", raising=False)


def test_without_any_setting_everything_lies_under_one_absolute_folder(tmp_path):
    settings = StoreSettings()
    assert settings.state_dir == tmp_path / ".ewc"
    assert settings.database_url == f"sqlite:///{tmp_path / '.ewc' / 'ewc.db'}"
    assert settings.broker_url == "filesystem://"
    assert settings.broker_dir == tmp_path / ".ewc" / "broker"
    assert settings.data_dir is None


def test_the_environment_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("EWC_STATE_DIR", "state")
    monkeypatch.setenv("EWC_DATA_DIR", "data")
    monkeypatch.setenv("EWC_DATABASE_URL", "postgresql+psycopg://host/name")
    monkeypatch.setenv("EWC_BROKER_URL", "redis://host")
    monkeypatch.setenv("EWC_LEASE_SECONDS", "3")
    monkeypatch.setenv("EWC_HEARTBEAT_SECONDS", "0.5")
    settings = StoreSettings()
    assert (settings.state_dir, settings.data_dir) == (tmp_path / "state", tmp_path / "data")
    assert (settings.database_url, settings.broker_url) == ("postgresql+psycopg://host/name", "redis://host")
    assert (settings.lease_seconds, settings.heartbeat_seconds) == (3.0, 0.5)


def test_an_empty_data_dir_is_none(monkeypatch):
    monkeypatch.setenv("EWC_DATA_DIR", "")
    assert StoreSettings().data_dir is None


def test_a_heartbeat_that_leaves_no_second_try_is_refused():
    with pytest.raises(ValidationError, match=r"heartbeat_seconds 8\.0 must be at most half of lease_seconds 15\.0"):
        StoreSettings(heartbeat_seconds=8)


@pytest.mark.parametrize("name", ["lease_seconds", "reap_seconds", "max_attempts_without_progress"])
def test_a_setting_of_zero_is_refused(name):
    with pytest.raises(ValidationError, match=name):
        StoreSettings.model_validate({name: 0})


def test_the_reaper_is_timed_under_its_old_name_too_and_the_new_one_counts_first(monkeypatch):
    monkeypatch.setenv("EWC_SWEEP_SECONDS", "2")
    assert StoreSettings().reap_seconds == 2
    monkeypatch.setenv("EWC_REAP_SECONDS", "3")
    assert StoreSettings().reap_seconds == 3
