"""Following several jobs until all have succeeded."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from ewc_client import EWCClient
from ewc_client.errors import JobFailedError
from ewc_client.figures.follow import wait_for_all
from tests.ewc_client.conftest import QUICK
from tests.ewc_client.figures.answers import job, supervised
from tests.ewc_client.scripted_server import Answer, Asked, ScriptedServer, json_answer

SPEC = supervised("ewc", 2)
LIVES: dict[str, list[dict[str, Any]]] = {
    "job_a": [
        job("job_a", SPEC, "queued"),
        job("job_a", SPEC, "running", progress={"visit_index": 1, "step": 5, "num_steps": 10, "num_visits": 2}),
        job("job_a", SPEC),
    ],
    "job_b": [
        job("job_b", {"kind": "association"}, "running", progress={"step": 3, "num_steps": 8, "num_visits": 0}),
        job("job_b", {"kind": "association"}, "running", progress={"step": 4, "num_steps": 8, "num_visits": 0}),
        job("job_b", {"kind": "association"}),
    ],
    "job_c": [job("job_c", SPEC, "failed", error={"code": "worker_lost", "message": "gone"})],
}


def followed(console: Console, **parts: str) -> dict[str, str]:
    """Follow these jobs through their lives, one stage per look, and return how they ended."""
    looks: dict[str, int] = {}

    def answer(asked: Asked, number: int) -> Answer:
        job_id = asked.path.removeprefix("/v1/jobs/")
        looks[job_id] = looks.get(job_id, -1) + 1
        return json_answer(LIVES[job_id][looks[job_id]])  # a look after the end is an error

    with ScriptedServer(answer) as server, EWCClient(server.url, "key", retries=QUICK) as client:
        jobs = {part: client.jobs.get(job_id) for part, job_id in parts.items()}
        return {part: job.status for part, job in wait_for_all(jobs, console=console).items()}


def test_each_change_of_a_job_is_a_line() -> None:
    out = io.StringIO()
    assert followed(Console(file=out, width=100), ewc="job_a", rules="job_b") == {"ewc": "succeeded", "rules": "succeeded"}
    assert out.getvalue().splitlines() == [
        "ewc: queued (job_a)",
        "rules: 3 of 8 units",
        "ewc: visit 1 of 2, 5 of 10 steps",
        "ewc: succeeded (job_a)",
        "rules: succeeded (job_b)",
    ]


def test_a_terminal_has_one_bar_per_job() -> None:
    out = io.StringIO()
    assert followed(Console(file=out, width=100, force_terminal=True), ewc="job_a", rules="job_b")["ewc"] == "succeeded"
    last = out.getvalue().rpartition("ewc")[2]
    assert "succeeded (job_a)" in last
    assert "succeeded (job_b)" in last


def test_the_first_bad_end_is_told_at_once() -> None:
    with pytest.raises(JobFailedError) as failed:
        followed(Console(file=io.StringIO()), ewc="job_a", sgd="job_c")
    assert str(failed.value) == "job job_c failed (worker_lost): gone (part 'sgd')"
