"""Jobs of many tasks and visits: what is written and read of them takes a fixed number of statements."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from ewc_core.errors import InvalidCursor
from ewc_core.specs import JOB_SPEC, JobSpec, PermutedTask
from store.reaper import STAGED_BLOB_SECONDS
from store.tables import IdempotencyRow
from tests.store.conftest import OWNER, claim, execute, make_job, make_spec
from tests.store.statements import statements


def games(*, num_tasks: int, num_rounds: int) -> JobSpec:
    """A job that plays every game once per round."""
    return JOB_SPEC.validate_python(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [8]},
            "agent": {"preset": "small"},
            "method": {"kind": "ewc", "ewc_lambda": 1.0},
            "tasks": [{"kind": "gymnasium", "id": "CartPole-v1", "permutation": index} for index in range(num_tasks)],
            "schedule": {"kind": "rounds", "num_rounds": num_rounds, "num_steps": 10},
        }
    )


def test_a_job_takes_as_many_statements_with_thousands_of_tasks_and_visits_as_with_one(database):
    specs = [
        *(make_spec(num_tasks=num_tasks) for num_tasks in (1, 10, 1000)),
        *(games(num_tasks=num_tasks, num_rounds=num_rounds) for num_tasks, num_rounds in ((1, 1), (10, 1000))),
    ]
    counts = []
    for spec in specs:
        with statements(database) as sent, database.write() as work:
            job = work.jobs.create(spec, owner=OWNER)
        counts.append(len(sent))
        with database.read() as work:
            assert work.jobs.get(job.id) == job
            assert work.tasks.num(job.id) == len(spec.tasks)
    assert len(set(counts)) == 1, counts
    assert counts[0] <= 10


def test_a_bulk_of_visits_is_numbered_and_named_as_one_by_one(database):
    with database.write() as work:
        job = work.jobs.create(games(num_tasks=2, num_rounds=2), owner=OWNER)
        visits = work.switches.visits(job.id)
        tasks = work.tasks.of_job(job.id)
    order = [segment.task for segment in job.spec.segments]
    assert [visit.task_index for visit in visits] == order
    assert [(visit.sequence, visit.visit_index, visit.origin, visit.status) for visit in visits] == [
        (number + 1, number, "spec", "pending") for number in range(4)
    ]
    assert [visit.action for visit in visits] == ["append", "append", "revisit", "revisit"]
    assert [(task.task_index, task.spec) for task in tasks] == list(enumerate(job.spec.tasks))
    assert (job.last_switch_sequence, job.num_visits, job.last_event_seq) == (4, 4, 1)


@pytest.mark.parametrize("num_tasks", [1, 1000])
def test_what_a_holder_asks_again_and_again_never_reads_the_spec(database, num_tasks):
    with database.write() as work:
        job = work.jobs.create(make_spec(num_tasks=num_tasks), owner=OWNER)
    fence = claim(database, job.id)
    with statements(database) as sent:
        with database.write() as work:
            work.leases.extend(fence, ttl_seconds=15)
            assert work.jobs.orders(job.id).desired_state == "run"
        with database.fenced(fence) as work:
            work.jobs.record_progress(job.id, visit_index=0, step=1, num_steps=10)
            assert not work.switches.is_cut_requested(job.id, visit_index=0)
            assert work.jobs.orders(job.id).version > job.version
    assert len([statement for statement in sent if "BEGIN" not in statement]) == 9
    assert not any("spec" in statement for statement in sent)


def test_switches_that_cut_one_visit_are_used_up_in_a_fixed_number_of_statements(database):
    with database.write() as work:
        job = work.jobs.create(make_spec(), owner=OWNER)
        work.switches.start_visit(job.id, 0)
        for _ in range(20):
            work.switches.append(job.id, action="switch_now", origin="api")
    with statements(database) as sent, database.write() as work:
        work.switches.mark_cut(job.id, visit_index=0, step=3, by=work.switches.cuts_requested(job.id, visit_index=0))
    assert len([statement for statement in sent if "BEGIN" not in statement]) <= 5
    with database.read() as work:
        assert not work.switches.is_cut_requested(job.id, visit_index=0)
        assert work.jobs.summary(job.id).last_switch_sequence == 22


def test_tasks_and_switches_are_read_in_pages(database):
    with database.write() as work:
        job = work.jobs.create(make_spec(num_tasks=5), owner=OWNER)
        for pages, attribute in ((work.tasks.page, "task_index"), (work.switches.page, "visit_index")):
            first = pages(job.id, limit=2)
            second = pages(job.id, limit=3, after=first.items[-1].id)
            assert [getattr(item, attribute) for item in (*first.items, *second.items)] == [0, 1, 2, 3, 4]
            assert (first.has_more, second.has_more) == (True, False)
            with pytest.raises(InvalidCursor, match=job.id):
                pages(job.id, limit=2, after="nonsense")


def test_a_page_of_jobs_is_one_statement_and_reads_no_spec(database):
    made = [make_job(database, num_tasks=index + 1, metadata={"n": str(index)}) for index in range(4)]
    with database.write() as work:
        work.jobs.record_progress(made[2].id, visit_index=1, step=3, num_steps=10)
        work.tasks.add(made[2].id, PermutedTask(dataset="digits", permutation=7))
        work.switches.append(made[2].id, action="append", task_index=3, origin="api")
    for limit in (1, 4):
        with statements(database) as sent, database.read() as work:
            page = work.jobs.page(owner=OWNER, limit=limit)
        assert len([statement for statement in sent if "BEGIN" not in statement]) == 1
    assert {job.id: (job.kind, job.metadata, job.num_visits, job.task_index) for job in page.items} == {
        made[0].id: ("supervised", {"n": "0"}, 1, None),
        made[1].id: ("supervised", {"n": "1"}, 2, None),
        made[2].id: ("supervised", {"n": "2"}, 4, 1),
        made[3].id: ("supervised", {"n": "3"}, 4, None),
    }


def test_more_old_answers_than_one_statement_has_parameters_for_are_all_forgotten(database):
    with database.write() as work:
        row = {
            "owner": OWNER,
            "request_sha256": "00",
            "status": 201,
            "body": {},
            "headers": {},
            "created_at": work.now - timedelta(days=2),
        }
        work.connection.execute(insert(IdempotencyRow), [{**row, "key": str(number)} for number in range(2500)])
    collected = []
    while collected[-1:] != [0]:
        with database.write() as work:
            collected.append(work.idempotency.collect(older_than_seconds=86400))
    assert collected == [1000, 1000, 500, 0]


def test_a_large_staged_blob_is_collected_in_short_transactions(database):
    with database.write() as work:
        blob_id = work.blobs.create(size=40 * 4 * 2**20, sha256="00", media_type="text/plain")
    for seq in range(40):
        execute(
            database,
            "INSERT INTO blob_chunks (blob_id, seq, data, crc32) VALUES (:id, :seq, :data, 0)",
            id=blob_id,
            seq=seq,
            data=b"x",
        )
    execute(database, "UPDATE blobs SET created_at = '2020-01-01 00:00:00.000000'")
    collected = []
    while collected[-1:] != [None]:
        with database.write() as work:
            collected.append(work.blobs.collect_staged(older_than_seconds=STAGED_BLOB_SECONDS))
    assert collected == [0, 0, 1, None]
