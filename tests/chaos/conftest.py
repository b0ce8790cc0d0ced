"""Jobs and workers to kill, on both stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ewc_core.specs import JobSpec
from store.queue import WakeUps
from store.unit_of_work import Database
from tests.backends.fixtures import Stack
from tests.chaos.fleet import Worker


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    database = Database(stack.database_url)
    yield database
    database.close()


@pytest.fixture
def submit(stack: Stack, database: Database) -> Callable[[JobSpec], str]:
    """Makes a job and wakes a worker; returns the job's id."""

    def _submit(spec: JobSpec) -> str:
        with database.write() as work:
            job_id = work.jobs.create(spec, owner="tests").id
        WakeUps(stack.broker_url, stack.broker_dir).publish()
        return job_id

    return _submit


@pytest.fixture
def start_worker(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers, with further settings by keyword, and leaves none behind."""
    workers: list[Worker] = []

    def _start(**settings: str) -> Worker:
        workers.append(Worker({**stack.environment, **settings}, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield _start
    for worker in workers:
        worker.close()
