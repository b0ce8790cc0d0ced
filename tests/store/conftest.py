"""A job, and a job that a worker holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from ewc_core.specs import EwcMethod, PermutedTask, SupervisedSpec
from store.base import db_now
from store.records import Fence, JobRecord
from store.tables import LeaseRow
from store.unit_of_work import Database

OWNER = "alice"


def make_spec(*, num_tasks: int = 2, **changes: object) -> SupervisedSpec:
    """A small spec with one task per permutation."""
    tasks = [PermutedTask(dataset="digits", permutation=index) for index in range(num_tasks)]
    return SupervisedSpec.model_validate({"method": EwcMethod(ewc_lambda=100.0), "tasks": tasks, "stream": "open", **changes})


def make_job(database: Database, *, owner: str = OWNER, **changes: object) -> JobRecord:
    """A new queued job."""
    with database.write() as work:
        return work.jobs.create(make_spec(**changes), owner=owner)


def claim(database: Database, job_id: str, *, worker_id: str = "wrk_1", ttl_seconds: float = 15) -> Fence:
    """Claim a job that is there to be claimed."""
    with database.write() as work:
        fence = work.leases.claim(job_id, worker_id=worker_id, ttl_seconds=ttl_seconds)
    assert fence is not None
    return fence


def expire_lease(database: Database, job_id: str, *, seconds: float = 1.0) -> None:
    """Make the job's lease have expired `seconds` ago by the database's clock."""
    table = LeaseRow.__table__
    with database.write() as work:
        work.connection.execute(table.update().where(table.c.job_id == job_id).values(expires_at=db_now(-seconds)))


def execute(database: Database, statement: str, **values: object) -> None:
    """Change the database behind the repositories' backs."""
    with database.write() as work:
        work.connection.execute(text(statement), values)


@dataclass(frozen=True)
class Held:
    """A running job and its holder's fence."""

    id: str
    fence: Fence


@pytest.fixture
def job(database: Database) -> JobRecord:
    """A queued job of two tasks with an open stream."""
    return make_job(database)


@pytest.fixture
def held(database: Database, job: JobRecord) -> Held:
    """The same job, running."""
    fence = claim(database, job.id)
    with database.fenced(fence) as work:
        work.jobs.transition(job.id, "running", reason="trainer_started", actor="wrk_1", epoch=fence.epoch)
    return Held(job.id, fence)


@pytest.fixture
def broker_dir(tmp_path: Path) -> Path:
    """Folder for a filesystem broker; not made yet."""
    return tmp_path / "broker"
