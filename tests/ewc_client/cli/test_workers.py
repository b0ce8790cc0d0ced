"""`ewc workers`, and what is said of a job that none of them can take."""

from __future__ import annotations

import json

from ewc_client import EWCClient
from tests.api.lives import SPEC
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service


def test_workers_are_a_table_or_json_with_slots_memory_and_labels(ewc: Ewc, here: Service) -> None:
    assert "No worker is running." in ewc("workers").err
    with here.database.write() as work:
        work.workers.beat(
            "host-celery-1", hostname="host", pid=1, queue="cpu", slots=2, labels=["gpu", "big"], memory_bytes=2**34
        )
        work.workers.beat("host-celery-2", hostname="host", pid=2, queue="cpu", slots=1)
    run = ewc("workers")
    assert run.status == 0
    rows = [" ".join(line.split()) for line in run.out.splitlines() if "celery" in line]
    assert rows == ["host-celery-1 0 of 2 0 of 1 0 of 16 GiB big gpu", "host-celery-2 0 of 1 0 of 1"]
    assert [worker["slots"] for worker in json.loads(ewc("workers", "--output", "json").out)] == [2, 1]


def test_a_job_shows_its_priority_and_what_it_waits_for(ewc: Ewc, here: Service, client: EWCClient) -> None:
    with here.database.write() as work:
        work.workers.beat("host-celery-1", hostname="host", pid=1, queue="cpu", slots=2)
    job = client.jobs.create({**SPEC, "execution": {"labels": ["gpu"]}})
    assert (job.priority, job.waiting_for) == (0, "no running worker has all labels that it asks for: gpu")
    assert job.set_priority(4).priority == 4
    shown = ewc("show", job.id).out
    assert "no running worker has all labels that it asks for: gpu" in shown
    assert [line.split() for line in shown.splitlines() if line.startswith("priority")] == [["priority", "4"]]
    client.jobs.cancel(job.id)


def test_the_priority_of_a_queued_job_is_changed_in_one_command(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert ewc("priority", job.id, "5").err == f"{job.id} has priority 5 (number 1 in the queue)\n"
    assert json.loads(ewc("priority", job.id, "-3", "-o", "json").out)["priority"] == -3
    client.jobs.cancel(job.id)
    refused = ewc("priority", job.id, "5")
    assert (refused.status, "not_queued" in refused.err) == (4, True)
