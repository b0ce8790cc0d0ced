"""Names and messages with escape codes, bidirectional overrides, line breaks and markup, wherever a command shows them."""

from __future__ import annotations

import re

import pytest

from ewc_client import EWCClient
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service

NASTY = "\x1b]0;owned\x07\x9b2J[red]\u202e\u2028\nok\x7f数字"
SHOWN = r"\x1b]0;own"  # names are cut in tables
SPEC = {
    "name": NASTY,
    "method": {"kind": "ewc", "ewc_lambda": 1.0},
    "tasks": [{"name": NASTY, "dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
    "metadata": {NASTY: NASTY},
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(params=["pipe", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where output goes: 140 columns of a terminal with colours, or a pipe."""
    if request.param == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "140")


@pytest.mark.usefixtures("screen")
def test_names_are_shown_escaped(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    sweep = {
        "job": {**SPEC, "training": {"num_validation_examples": 10}},
        "name": NASTY,
        "search": {"method.ewc_lambda": {"low": 1, "high": 2}},
    }
    client.sweeps.create(sweep)
    client.create_api_key(NASTY)
    for command in (("ls",), ("show", job.id), ("sweeps", "ls"), ("keys", "ls"), ("keys", "create", NASTY)):
        shown = _seen(ewc(*command))
        assert SHOWN in shown, command


@pytest.mark.usefixtures("screen")
def test_errors_that_quote_what_was_sent_are_shown_escaped(ewc: Ewc, here: Service) -> None:
    assert SHOWN in _seen(ewc("ls", "--status", NASTY)) + _seen(ewc("show", NASTY))


def _seen(run) -> str:
    text = _COLOUR.sub("", run.out + run.err)
    assert all(character.isprintable() or character == "\n" for character in text)
    return text
