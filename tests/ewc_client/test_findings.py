"""Results, analyses, warnings and weights through the client, against the real API."""

from __future__ import annotations

import pytest

from ewc_client import ConflictError, EWCClient, NotFoundError
from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, SPEC, bring_to, find, finish_visit, warn
from tests.ewc_client.conftest import Service
from tests.ewc_client.results import ASSOCIATION as FOUND
from tests.ewc_client.results import CAPACITY


def test_a_job_without_tasks_is_followed_to_its_result(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(ASSOCIATION)
    assert (job.kind, job.has_tasks) == ("association", False)
    with pytest.raises(NotFoundError, match="no_result"):
        client.jobs.result(job.id)
    find(service.database, job.id, FOUND)
    result = job.wait(check=True).result()
    assert (result.job_id, result.kind, result.body) == (job.id, "association", FOUND)


def test_questions_about_a_job_come_back_with_their_answers(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    with pytest.raises(ConflictError, match="not_learned"):
        client.jobs.analyse(job.id, {"kind": "capacity"})
    finish_visit(service.database, job.id, 0)
    asked = client.jobs.analyse(job.id, {"kind": "capacity"}, name="room left", seed=3)
    assert (asked.kind, asked.name, asked.spec["seed"], asked.spec["job_id"]) == ("analysis", "room left", 3, job.id)
    [waiting] = client.jobs.analyses(job.id)
    assert (waiting.id, waiting.status, waiting.result) == (asked.id, "queued", None)
    find(service.database, asked.id, CAPACITY)
    [answered] = client.jobs.analyses(job.id)
    assert answered.result is not None
    assert (answered.result.kind, answered.result.body) == ("capacity", CAPACITY)
    assert client.jobs.result(asked.id) == answered.result


def test_one_idempotency_key_asks_once(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    finish_visit(service.database, job.id, 0)
    asked = [job.analyse({"kind": "capacity"}, idempotency_key="k").id for _ in range(2)]
    assert len(set(asked)) == 1


def test_tasks_are_weighed_and_forgotten(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    bring_to(service.database, job.id, JobStatus.RUNNING)
    finish_visit(service.database, job.id, 0)
    assert client.jobs.reweight(job.id, 0, 2.5).weight == 2.5
    assert client.jobs.forget(job.id, 0).weight == 0.0
    assert [task.weight for task in job.tasks()] == [0.0, None]
    with pytest.raises(ConflictError, match="no_constraint"):
        job.forget(1)


def test_a_job_carries_its_warnings(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert job.warnings == ()
    warn(service.database, job.id, "explicit_step_unstable", "it diverges", visit_index=1)
    [warning] = job.refresh().warnings
    assert (warning.code, warning.message, warning.visit_index) == ("explicit_step_unstable", "it diverges", 1)
