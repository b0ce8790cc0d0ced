"""`ewc submit --check` submits nothing and says what a worker finds wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from api.bootstrap import OWNER
from ewc_client import EWCClient
from store.job_states import JobStatus
from tests.api.lives import SPEC, find
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service
from tests.ewc_client.results import CHECK


@pytest.fixture
def spec_file(tmp_path: Path) -> str:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(SPEC))
    return str(file)


@contextmanager
def finding(service: Service, body: Mapping[str, Any]) -> Iterator[list[str]]:
    """A worker that answers the next check with this; the ids of the jobs that it answered."""
    answered: list[str] = []
    is_over = Event()

    def work() -> None:
        while not answered and not is_over.wait(0.01):
            with service.database.read() as records:
                waiting = records.jobs.page(owner=OWNER, limit=10, status=JobStatus.QUEUED).items
            for job in waiting:
                find(service.database, job.id, dict(body))
                answered.append(job.id)

    worker = Thread(target=work)
    worker.start()
    try:
        yield answered
    finally:
        is_over.set()
        worker.join()


def test_mistakes_are_printed_and_are_the_exit_status(ewc: Ewc, here: Service, spec_file: str) -> None:
    with finding(here, CHECK) as checked:
        run = ewc("submit", spec_file, "--check", "--set", "method.ewc_lambda=7")
    assert run.status == 4
    assert r"tasks.0.dataset.path: no file a\x1b[31m.npz (dataset_unavailable)" in run.out
    assert "2 mistakes." in run.out
    with EWCClient(here.url, here.key) as client:
        spec = client.jobs.get(checked[0]).spec["job"]
    assert (spec["kind"], spec["method"]["ewc_lambda"]) == ("supervised", 7.0)


def test_a_job_that_can_run_ends_with_0_and_as_json_the_findings_are_in_the_job(ewc: Ewc, here: Service, spec_file: str) -> None:
    fine = {**CHECK, "is_runnable": True, "mistakes": []}
    with finding(here, fine):
        run = ewc("submit", spec_file, "--check", "-o", "json")
    assert (run.status, json.loads(run.out)["result"]["body"]) == (0, fine)
    with finding(here, fine):
        run = ewc("submit", spec_file, "--check")
    assert run.status == 0
    assert "nothing is wrong." in run.out


def test_a_spec_that_is_none_is_refused_without_a_worker(ewc: Ewc, here: Service, spec_file: str) -> None:
    run = ewc("submit", spec_file, "--check", "--set", "method.ewc_lambda=-1")
    assert run.status == 4
    assert "method.ewc_lambda" in run.err
