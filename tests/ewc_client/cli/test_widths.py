"""Tables on terminals of several widths: nothing is cut at the edge, and every id is there whole."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from ewc_client import EWCClient
from tests.api.lives import leave_snapshot
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service

SPEC = {
    "name": "数字の置換 three permuted digit tasks, seed 17",
    "method": {"kind": "ewc", "ewc_lambda": 1.0},
    "controls": ["naive", "joint"],
    "tasks": [{"name": "数字", "dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
}


@pytest.mark.parametrize("width", [60, 120])
def test_lists_fit_and_show_every_id(ewc: Ewc, here: Service, client: EWCClient, monkeypatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    job = client.jobs.create(SPEC)
    other = client.jobs.create({**SPEC, "name": "short"})
    leave_snapshot(here.database, job.id, 0, replay_bytes=2**30)
    snapshot, *_ = job.snapshots()
    key = client.create_api_key("for the dashboard 数字")
    for command, needed in (
        (("ls",), [job.id, other.id, "short", "queued", "2 visits to come"]),
        (("show", job.id), [job.id, "数字", "digits-permutation-1", "pending"]),
        (("snapshots", job.id), [snapshot.id, "ewc, naive", "not kept"]),
        (("keys", "ls"), [key.id, "jobs:read"]),
    ):
        run = ewc(*command)
        assert max(map(cell_len, run.out.splitlines())) <= width
        for part in needed:
            assert part in run.out, command
        assert "…" not in run.out or width >= 100


def test_80_columns_hold_tables_with_narrow_gaps(ewc: Ewc, here: Service, client: EWCClient, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    job = client.jobs.create({**SPEC, "name": None, "tasks": [{"name": 2 * "n" + 40 * "x" + 2 * "m", "dataset": "digits"}]})
    jobs, tasks = ewc("ls").out, ewc("show", job.id).out
    assert jobs.splitlines()[2].split()[1:5] == ["queued", "1", "visit", "to"]
    assert tasks.splitlines()[-3].split() == ["task", "name", "status", "visits", "weight", "checkpoint"]
    assert max(map(cell_len, (jobs + tasks).splitlines())) <= 80


def test_columns_stay_in_line_beside_wide_letters(ewc: Ewc, here: Service, client: EWCClient, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("数字の置換", "cafe\u0301", "plain"):
        client.jobs.create({**SPEC, "name": name})
    lines = [line for line in ewc("ls").out.splitlines() if "queued" in line]
    assert len({cell_len(line[: line.index("queued")]) for line in lines}) == 1


def test_a_pipe_gets_one_line_for_each_row_however_long(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create({**SPEC, "name": "n" * 128})
    lines = ewc("ls").out.splitlines()
    assert len(lines) == 3
    assert job.id in lines[2]
    assert "n" * 128 in lines[2]


def test_what_goes_to_a_pipe_has_no_spaces_at_the_ends_of_lines(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    client.jobs.create({**SPEC, "name": "short"})
    for command in (("ls",), ("show", job.id), ("spec", "method"), ("keys", "ls"), ("matrix", job.id)):
        lines = ewc(*command).out.splitlines()
        assert lines
        assert [line for line in lines if line != line.rstrip()] == []
