"""The command line in this process, and the service that it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ewc_client.cli import main
from tests.ewc_client.conftest import Service


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    status: int
    out: str
    err: str


Ewc = Callable[..., Run]


@pytest.fixture
def ewc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ewc:
    """Runs `ewc` with these arguments in this process."""

    def _run(*arguments: str) -> Run:
        monkeypatch.setattr("sys.argv", ["ewc", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return Run(code if isinstance(code, int) else 0, printed.out, printed.err)

    return _run


@pytest.fixture
def here(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service that the environment names."""
    monkeypatch.setenv("EWC_URL", service.url)
    monkeypatch.setenv("EWC_API_KEY", service.key)
    return service
