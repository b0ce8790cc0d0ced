"""Jobs through the client, against the real API."""

from __future__ import annotations

import pytest

from ewc_client import EWCClient
from ewc_client.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
    NotFoundError,
    SequenceConflictError,
    StreamClosedError,
    UnauthorizedError,
)
from store.job_states import JobStatus
from tests.api.lives import SPEC, bring_to
from tests.ewc_client.conftest import QUICK, Service

OPEN = {**SPEC, "stream": "open"}


def test_a_submitted_job_is_queued_and_found_again(client: EWCClient) -> None:
    job = client.jobs.create({**SPEC, "name": "first"})
    assert (job.status, job.name, job.progress.num_visits) == ("queued", "first", 2)
    assert client.jobs.get(job.id) == job.refresh()


def test_one_idempotency_key_makes_one_job(client: EWCClient) -> None:
    assert client.jobs.create(SPEC, idempotency_key="k").id == client.jobs.create(SPEC, idempotency_key="k").id
    assert len(list(client.jobs.list())) == 1


def test_a_refused_spec_names_its_field(client: EWCClient) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.jobs.create({**SPEC, "method": {"kind": "ewc", "ewc_lambda": -1}})
    assert "method.ewc_lambda" in str(refused.value)
    assert list(client.jobs.list()) == []


def test_a_list_fetches_its_pages_as_they_are_needed(client: EWCClient) -> None:
    made = [client.jobs.create(SPEC).id for _ in range(7)]
    assert [job.id for job in client.jobs.list(page_size=3)] == made[::-1]
    page = client.jobs.page(limit=3)
    assert (len(page.data), page.has_more) == (3, True)
    assert [job.id for job in client.jobs.page(limit=3, after=page.last_id)] == made[3:0:-1]
    assert [job.id for job in client.jobs.list(status="paused")] == []


def test_a_job_of_a_list_fetches_its_spec_and_warnings_when_they_are_asked_for(client: EWCClient) -> None:
    made = client.jobs.create({**SPEC, "metadata": {"team": "a"}})
    (listed,) = client.jobs.list()
    assert "spec" not in listed.raw
    assert (listed.kind, listed.metadata, listed.progress) == ("supervised", {"team": "a"}, made.progress)
    assert "_whole" not in vars(listed)
    assert (listed.spec, listed.warnings) == (made.spec, ())


def test_tasks_and_switches_of_many_pages_are_all_read(client: EWCClient) -> None:
    tasks = [{"dataset": "digits", "permutation": number} for number in range(150)]
    job = client.jobs.create({**SPEC, "tasks": tasks})
    assert [task.task_index for task in job.tasks()] == list(range(150))
    assert [switch.visit_index for switch in job.task_switches()] == list(range(150))


def test_a_queued_job_can_be_paused_resumed_and_cancelled(client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert job.pause().status == "paused"
    assert job.resume().status == "queued"
    assert job.cancel().status == "cancelled"
    with pytest.raises(IllegalTransitionError):
        job.resume()


def test_a_failed_job_can_be_tried_again(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    bring_to(service.database, job.id, JobStatus.FAILED)
    assert client.jobs.retry(job.id).status == "queued"


def test_switches_append_revisit_and_close(client: EWCClient) -> None:
    job = client.jobs.create(OPEN)
    appended = job.switch("append", task={"dataset": "digits", "permutation": 9})
    assert (appended.sequence, appended.task_index, appended.visit_index) == (3, 2, 2)
    assert job.switch("revisit", task_index=0).visit_index == 3
    with pytest.raises(SequenceConflictError) as conflict:
        job.switch("revisit", task_index=1, sequence=3)
    assert conflict.value.expected == 5
    assert job.close().action == "close"
    with pytest.raises(StreamClosedError):
        job.switch("revisit", task_index=0)
    assert [switch.action for switch in job.task_switches()] == ["append", "append", "append", "revisit", "close"]
    assert [task.name for task in job.tasks()] == [f"digits-permutation-{number}" for number in (0, 1, 9)]


def test_wait_returns_a_finished_job_and_check_raises_its_end(service: Service, client: EWCClient) -> None:
    good, bad, ended = (client.jobs.create(SPEC) for _ in range(3))
    bring_to(service.database, good.id, JobStatus.SUCCEEDED)
    bring_to(service.database, bad.id, JobStatus.FAILED)
    ended.cancel()
    assert good.wait(check=True).status == "succeeded"
    assert bad.wait().status == "failed"
    with pytest.raises(JobFailedError, match=r"worker_lost.*gone"):
        bad.wait(check=True)
    with pytest.raises(JobCancelledError):
        ended.wait(check=True)


def test_wait_gives_up_after_its_time_and_leaves_the_job_alone(client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    with pytest.raises(TimeoutError, match=r"is 'queued' after 0\.05 seconds; it goes on"):
        job.wait(timeout_seconds=0.05)
    assert job.refresh().status == "queued"


def test_what_is_not_there_and_a_wrong_key_are_told_apart(service: Service, client: EWCClient) -> None:
    with pytest.raises(NotFoundError):
        client.jobs.get("job_00000000000000000000000000")
    with pytest.raises(NotFoundError):
        client.jobs.get("../jobs")
    with pytest.raises(NotFoundError):
        client.jobs.get("\udcff")
    with EWCClient(service.url, "ewc_live_wrong", retries=QUICK) as stranger, pytest.raises(UnauthorizedError):
        list(stranger.jobs.list())


def test_keys_are_made_listed_and_revoked(service: Service, client: EWCClient) -> None:
    made = client.create_api_key("dashboard", scopes=["jobs:read"])
    assert made.key is not None
    assert made.key not in repr(made)
    with EWCClient(service.url, made.key, retries=QUICK) as reader:
        assert list(reader.jobs.list()) == []
        assert "dashboard" in [key.name for key in client.api_keys()]
        client.revoke_api_key(made.id)
        with pytest.raises(UnauthorizedError):
            list(reader.jobs.list())


def test_catalogue_version_and_workers_can_be_read(client: EWCClient) -> None:
    assert "digits" in str(client.catalogue())
    assert client.version()
    assert client.workers() == []
