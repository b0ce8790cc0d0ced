"""Jobs: creation, scoping, pages, moves, wake-ups."""

from __future__ import annotations

import pytest

from ewc_core.errors import IllegalTransition, InvalidCursor, NotFound
from store.base import db_now
from store.job_states import JobStatus
from store.tables import JobRow
from tests.store.conftest import OWNER, claim, execute, make_job, make_spec


def test_a_new_job_is_queued_with_its_tasks_visits_history_and_event(database):
    spec = make_spec(num_tasks=3, name="demo", metadata={"team": "a"})
    with database.write() as work:
        created = work.jobs.create(spec, owner=OWNER, request_id="req_1")
    with database.read() as work:
        job = work.jobs.get(created.id)
        assert job == created
        assert (job.status, job.desired_state, job.stream, job.name, job.request_id) == ("queued", "run", "open", "demo", "req_1")
        assert (job.attempt, job.attempts_since_progress, job.last_event_seq, job.last_switch_sequence) == (0, 0, 1, 3)
        assert job.spec == spec
        assert [(task.task_index, task.status, task.spec) for task in work.tasks.of_job(job.id)] == [
            (index, "pending", task) for index, task in enumerate(spec.tasks)
        ]
        visits = work.switches.visits(job.id)
        assert [(visit.sequence, visit.visit_index, visit.task_index, visit.action) for visit in visits] == [
            (1, 0, 0, "append"),
            (2, 1, 1, "append"),
            (3, 2, 2, "append"),
        ]
        history = work.jobs.transitions(job.id)
        assert [(move.from_status, move.to_status, move.actor) for move in history] == [(None, "queued", OWNER)]
        assert [event.type for event in work.events.page(job.id)] == ["job.created"]


def test_a_closed_stream_starts_with_its_own_tasks(database):
    job = make_job(database, stream="closed")
    with database.read() as work:
        assert len(work.switches.visits(job.id)) == 2


def test_a_job_of_another_owner_is_not_found(database, job):
    with database.read() as work:
        assert work.jobs.get(job.id, owner=OWNER).id == job.id
        with pytest.raises(NotFound, match=job.id):
            work.jobs.get(job.id, owner="mallory")
        assert work.jobs.page(owner="mallory", limit=10).items == []


def test_pages_cover_a_list_once_forwards_and_backwards(database):
    ids = [make_job(database).id for _ in range(7)]
    make_job(database, owner="bob")
    with database.read() as work:
        newest_first = [job.id for job in work.jobs.page(owner=OWNER, limit=100).items]
        assert sorted(newest_first) == sorted(ids)
        forward, cursor = [], None
        while True:
            page = work.jobs.page(owner=OWNER, limit=3, after=cursor)
            forward.append([job.id for job in page.items])
            cursor = page.items[-1].id
            if not page.has_more:
                break
        assert forward == [newest_first[0:3], newest_first[3:6], newest_first[6:7]]
        page = work.jobs.page(owner=OWNER, limit=3, before=newest_first[5])
        assert ([job.id for job in page.items], page.has_more) == (newest_first[2:5], True)
        page = work.jobs.page(owner=OWNER, limit=3, before=newest_first[2])
        assert ([job.id for job in page.items], page.has_more) == (newest_first[0:2], False)


def test_jobs_created_in_the_same_instant_are_paged_by_their_ids(database):
    ids = sorted((make_job(database).id for _ in range(4)), reverse=True)
    with database.write() as work:
        work.connection.execute(JobRow.__table__.update().values(created_at=work.now))
    with database.read() as work:
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=2).items] == ids[:2]
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=2, after=ids[1]).items] == ids[2:]
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=2, before=ids[2]).items] == ids[:2]


def test_a_list_can_be_limited_to_one_status(database):
    first, second = make_job(database), make_job(database)
    claim(database, first.id)
    with database.read() as work:
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=10, status="starting").items] == [first.id]
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=10, status=JobStatus.QUEUED).items] == [second.id]


@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_cursor_that_names_none_of_the_owners_jobs_is_refused(database, direction):
    foreign = make_job(database, owner="bob")
    with database.read() as work:
        for cursor in ("job_unknown", foreign.id):
            with pytest.raises(InvalidCursor, match=cursor):
                work.jobs.page(owner=OWNER, limit=10, **{direction: cursor})


def test_a_move_writes_history_event_and_times(database, job):
    with database.write() as work:
        work.jobs.transition(job.id, "starting", reason="claimed", actor="wrk_1", epoch=1)
        work.jobs.transition(job.id, "running", reason="trainer_started", actor="wrk_1", epoch=1)
        running = work.jobs.summary(job.id)
        assert running.started_at is not None
        error = {"code": "non_finite", "message": "loss is NaN"}
        work.jobs.transition(job.id, JobStatus.FAILED, reason="non_finite", actor="wrk_1", epoch=1, error=error)
        failed = work.jobs.summary(job.id)
    assert (failed.status, failed.status_reason, failed.error) == ("failed", "non_finite", error)
    assert failed.finished_at is not None
    assert failed.started_at == running.started_at
    assert failed.version > running.version > job.version
    with database.read() as work:
        moves = [
            (move.from_status, move.to_status, move.reason, move.actor, move.epoch) for move in work.jobs.transitions(job.id)
        ]
        assert moves[1:] == [
            ("queued", "starting", "claimed", "wrk_1", 1),
            ("starting", "running", "trainer_started", "wrk_1", 1),
            ("running", "failed", "non_finite", "wrk_1", 1),
        ]
        event = work.events.page(job.id)[-1]
        assert (event.type, event.level, event.data["from"], event.data["to"]) == ("job.status", "error", "running", "failed")


def test_retrying_a_failed_job_forgets_its_error_and_its_fruitless_attempts(database, job):
    claim(database, job.id)
    with database.write() as work:
        work.jobs.transition(job.id, "failed", reason="worker_lost", actor="reaper", error={"code": "worker_lost"})
        work.jobs.transition(job.id, "queued", reason="retried", actor=OWNER)
        retried = work.jobs.summary(job.id)
    assert (retried.error, retried.finished_at, retried.attempts_since_progress, retried.attempt) == (None, None, 0, 1)


LEADS_TO = {
    "queued": ["cancelled", "failed", "paused", "starting"],
    "starting": ["cancelling", "failed", "pausing", "queued", "running"],
    "running": ["cancelling", "failed", "pausing", "queued", "succeeded", "waiting"],
    "waiting": ["cancelled", "paused", "queued", "succeeded"],
    "pausing": ["cancelling", "failed", "paused"],
    "paused": ["cancelled", "queued"],
    "cancelling": ["cancelled"],
    "succeeded": [],
    "failed": ["queued"],
    "cancelled": [],
}
"""The table of moves, written down once more."""


@pytest.mark.parametrize("current", list(JobStatus))
def test_only_the_moves_of_the_table_are_made_and_a_refusal_names_them(database, job, current):
    allowed = LEADS_TO[current.value]
    for requested in JobStatus:
        execute(database, "UPDATE jobs SET status = :status", status=current.value)
        with database.write() as work:
            if requested.value in allowed:
                work.jobs.transition(job.id, requested, reason="test", actor="test")
                assert work.jobs.summary(job.id).status is requested
                continue
            with pytest.raises(IllegalTransition) as refused:
                work.jobs.transition(job.id, requested, reason="test", actor="test")
        assert refused.value.allowed == tuple(allowed)
        assert all(state in str(refused.value) for state in allowed)


@pytest.mark.parametrize(
    ("start", "rest"), [("running", "waiting"), ("queued", "paused"), ("cancelling", "cancelled"), ("running", "failed")]
)
def test_coming_to_rest_withdraws_what_was_asked_of_the_holder(database, job, start, rest):
    execute(database, "UPDATE jobs SET status = :status, desired_state = 'pause'", status=start)
    with database.write() as work:
        work.jobs.transition(job.id, rest, reason="test", actor="test")
        assert work.jobs.summary(job.id).desired_state == "run"


def test_progress_result_and_stream_are_recorded(database, job):
    with database.write() as work:
        work.jobs.record_progress(job.id, visit_index=1, step=7, num_steps=12)
        work.jobs.set_weights(job.id, weights_sha256="ab" * 32)
        work.jobs.close_stream(job.id)
        assert work.jobs.set_desired_state(job.id, "pause").desired_state == "pause"
    with database.read() as work:
        found = work.jobs.get(job.id)
    assert (found.visit_index, found.step, found.num_steps, found.stream) == (1, 7, 12, "closed")
    assert found.weights_sha256 == "ab" * 32
    assert found.version > job.version


def test_changing_a_job_that_is_not_there_is_refused(database):
    with database.write() as work:
        for change in (
            lambda: work.jobs.set_desired_state("job_none", "run"),
            lambda: work.jobs.close_stream("job_none"),
            lambda: work.jobs.transition("job_none", "queued", reason="r", actor="a"),
            lambda: work.events.append("job_none", type="t", message="m"),
            lambda: work.tasks.add("job_none", make_spec().tasks[0]),
        ):
            with pytest.raises(NotFound, match="job_none"):
                change()


def test_a_queued_job_is_due_at_once_and_again_after_10_20_40_to_300_seconds(database, job):
    waits = [10, 20, 40, 80, 160, 300, 300]
    with database.read() as work:
        assert work.queue.due_for_wake_up() == [job.id]
    for num_wake_ups, wait in enumerate(waits):
        for age, is_due in ((wait - 2, False), (wait + 2, True)):
            with database.write() as work:
                work.connection.execute(JobRow.__table__.update().values(num_wake_ups=num_wake_ups, woken_at=db_now(-age)))
            with database.read() as work:
                assert (work.queue.due_for_wake_up() == [job.id]) is is_due, (num_wake_ups, age)


def test_waking_a_job_takes_it_off_the_due_list_until_it_is_queued_anew(database, job):
    with database.write() as work:
        work.queue.mark_woken([job.id])
        assert work.queue.due_for_wake_up() == []
    claim(database, job.id)
    with database.write() as work:
        work.jobs.transition(job.id, "queued", reason="trainer_lost", actor="wrk_1", epoch=1)
        assert work.queue.due_for_wake_up() == [job.id]


def test_only_queued_jobs_that_should_run_are_due(database):
    held, unwanted, due = make_job(database), make_job(database), make_job(database)
    claim(database, held.id)
    with database.write() as work:
        work.jobs.set_desired_state(unwanted.id, "pause")
        assert work.queue.due_for_wake_up() == [due.id]


def test_all_queued_jobs_can_be_made_due_again(database):
    jobs = [make_job(database) for _ in range(3)]
    with database.write() as work:
        for job in jobs:
            work.queue.mark_woken([job.id])
        assert work.queue.due_for_wake_up() == []
        assert work.queue.reset_wake_ups() == 3
        assert work.queue.due_for_wake_up(limit=2) == [job.id for job in jobs[:2]]


def test_jobs_are_counted_by_status_with_every_status_named(database):
    claim(database, make_job(database).id)
    make_job(database)
    with database.read() as work:
        counts = work.jobs.counts_by_status()
    assert set(counts) == {status.value for status in JobStatus}
    assert (counts["queued"], counts["starting"], counts["failed"]) == (1, 1, 0)
