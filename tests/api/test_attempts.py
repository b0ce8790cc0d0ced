"""The attempts to run a job, as the service shows them."""

from __future__ import annotations

from store.job_states import JobStatus
from tests.api.lives import WORKER, claim

HERE = {"cpu_capability": "AVX2", "torch": "2.13.0"}


def _attempts(database, job_id, number):
    for _ in range(number):
        fence = claim(database, job_id)
        with database.fenced(fence) as work:
            work.attempts.add(fence, HERE)
            work.jobs.transition(job_id, JobStatus.QUEUED, reason="test", actor=WORKER, epoch=fence.epoch)


def test_attempts_say_when_by_whom_and_where(client, submit, database):
    job_id = submit()
    claim(database, job_id)
    assert client.get(f"/v1/jobs/{job_id}/attempts").json()["data"] == [], "its trainer has not begun"
    with database.write() as work:
        work.jobs.transition(job_id, JobStatus.QUEUED, reason="test", actor=WORKER)
    _attempts(database, job_id, 1)
    (attempt,) = client.get(client.get(f"/v1/jobs/{job_id}").json()["links"]["attempts"]).json()["data"]
    started_at = attempt.pop("started_at")
    assert started_at.startswith("20")
    assert attempt == {
        "id": "2",
        "object": "attempt",
        "job_id": job_id,
        "attempt": 2,
        "epoch": 2,
        "worker_id": WORKER,
        "environment": HERE,
    }


def test_many_attempts_come_in_pages(client, submit, database):
    job_id = submit()
    _attempts(database, job_id, 5)
    seen, after = [], 0
    while True:
        page = client.get(f"/v1/jobs/{job_id}/attempts", params={"limit": 2, "after": after}).json()
        seen += [attempt["attempt"] for attempt in page["data"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert seen == [1, 2, 3, 4, 5]


def test_attempts_of_another_owners_job_are_not_found(caller, submit):
    assert caller().get(f"/v1/jobs/{submit()}/attempts").status_code == 404
