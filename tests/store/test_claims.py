"""Claims: what is due first, whom it fits, and that processes that look at the same time take each job once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from sqlalchemy import select, text

from ewc_core.specs import AnalysisSpec, Slot
from store.claims import claim_next, pass_on, remind
from store.queue import WakeUps
from store.records import Fence
from store.repositories.queue import _fits
from store.tables import JobRow
from store.unit_of_work import Database
from store.worker_records import Room
from tests.store.conftest import OWNER, execute, make_job

WORKER = "host-celery-1"
QUESTION = AnalysisSpec.model_validate({"kind": "analysis", "job_id": "job_0", "question": {"kind": "capacity"}})


def enrol(database: Database, worker_id: str = WORKER, *, slots: int = 1, **offers: object) -> None:
    """A worker that lives and runs nothing."""
    with database.write() as work:
        work.workers.beat(worker_id, hostname="host", pid=1, queue="cpu", slots=slots, **offers)


def ask(database: Database, *, owner: str = OWNER) -> str:
    """A queued analysis; its id."""
    with database.write() as work:
        return work.jobs.create(QUESTION, owner=owner).id


def look(database: Database, worker_id: str = WORKER) -> str | None:
    """The id of the job that the worker claims now."""
    fence = claim_next(database, worker_id=worker_id, ttl_seconds=60)
    return None if fence is None else fence.job_id


def look_until_nothing(database: Database, worker_id: str = WORKER) -> list[str]:
    """All that the worker claims, in order."""
    found: list[str] = []
    while (job_id := look(database, worker_id)) is not None:
        found.append(job_id)
    return found


def requeue(database: Database, fence: Fence, reason: str) -> None:
    """The attempt ends, and the job is queued again."""
    with database.fenced(fence) as work:
        work.jobs.transition(fence.job_id, "queued", reason=reason, actor="tests", epoch=fence.epoch)
        work.leases.release(fence)


def test_what_came_back_is_first_then_priority_then_the_owner_with_fewest_running_then_age(database):
    enrol(database, slots=9)
    recovered = make_job(database)
    fence = claim_next(database, worker_id=WORKER, ttl_seconds=60)
    running = make_job(database, owner="busy")
    assert look(database) == running.id
    of_busy, older, younger = make_job(database, owner="busy"), make_job(database, owner="idle"), make_job(database, owner="calm")
    urgent = make_job(database, owner="busy", execution={"priority": 5})
    unimportant = make_job(database, owner="nobody", execution={"priority": -1})
    requeue(database, fence, "lease_expired")
    with database.read() as work:
        places = {job.id: work.queue.position(work.jobs.get(job.id)) for job in (recovered, urgent, older, of_busy, unimportant)}
    assert places == {recovered.id: 1, urgent.id: 2, older.id: 3, of_busy.id: 5, unimportant.id: 6}
    expected = [recovered, urgent, older, younger, of_busy, unimportant]
    assert look_until_nothing(database) == [job.id for job in expected]


@pytest.mark.parametrize("reason", ["retry_requested", "resume_requested", "task_announced"])
def test_what_its_owner_has_queued_again_keeps_its_place_by_age(database, reason):
    enrol(database)
    first, second = make_job(database), make_job(database)
    execute(database, "UPDATE jobs SET status_reason = :reason WHERE id = :id", reason=reason, id=second.id)
    assert look(database) == first.id


def test_a_job_whose_attempt_found_no_record_is_left_alone_for_some_seconds_and_then_goes_first(database):
    enrol(database, slots=3)
    first = make_job(database)
    fence = claim_next(database, worker_id=WORKER, ttl_seconds=60)
    second, third = make_job(database), make_job(database)
    requeue(database, fence, "record_unavailable")
    assert look(database) == second.id
    execute(database, "UPDATE jobs SET updated_at = '2020-01-01 00:00:00.000000'")
    assert look(database) == first.id
    assert look(database) == third.id


def test_short_work_has_a_slot_of_its_own_and_takes_none_for_training(database):
    enrol(database, slots=1)
    trained, waiting = make_job(database), make_job(database)
    assert look(database) == trained.id
    answered, next_question = ask(database), ask(database)
    assert look(database) == answered
    assert look(database) is None
    with database.write() as work:
        work.leases.release(Fence(answered, 1, WORKER))
        work.connection.execute(text("UPDATE jobs SET status = 'cancelled' WHERE id = :id"), {"id": answered})
        assert work.queue.position(work.jobs.get(waiting.id)) == work.queue.position(work.jobs.get(next_question)) == 1
    assert look_until_nothing(database) == [next_question]


def test_a_job_fits_by_its_labels_and_its_memory_as_room_says_of_one_and_the_database_of_all(database):
    enrol(database)
    asked = [[], ["gpu"], ["gpu", "big/1"], ["cpu"]]
    for labels, memory in product(asked, (None, 5, 6)):
        make_job(database, execution={"labels": labels, "memory_bytes": memory})
    ask(database)
    with database.read() as work:
        jobs = work.jobs.page(owner=OWNER, limit=100).items
    num_fitting = []
    for labels, memory, slots in product(([], ["gpu"], ["big/1", "gpu", "x"]), (None, 5, 0), (set(), {Slot.SHORT}, set(Slot))):
        room = Room(slots=frozenset(slots), device="cpu", labels=frozenset(labels), memory_bytes=memory)
        with database.read() as work:
            fitting = set(work.connection.execute(select(JobRow.id).where(_fits(room))).scalars())
        assert fitting == {job.id for job in jobs if room.holds(job)}
        num_fitting.append(len(fitting))
    assert len(set(num_fitting)) > 5


def test_a_worker_takes_what_its_memory_holds_beside_what_it_runs(database):
    enrol(database, slots=3, memory_bytes=10, labels=["gpu"])
    large = make_job(database, execution={"memory_bytes": 8})
    too_large = make_job(database, execution={"memory_bytes": 3})
    small, unknown = make_job(database, execution={"memory_bytes": 2}), make_job(database)
    assert look_until_nothing(database) == [large.id, small.id, unknown.id]
    with database.write() as work:
        assert work.workers.find(WORKER).held_memory_bytes == 10
        work.leases.release(Fence(large.id, 1, WORKER))
    assert look(database) == too_large.id


def test_a_worker_without_a_row_claims_nothing(database, job):
    assert look(database) is None
    enrol(database)
    assert look(database) == job.id


def test_a_look_that_finds_nothing_begins_no_transaction_that_writes(database, job, monkeypatch):
    enrol(database)
    assert look(database) == job.id
    make_job(database)
    monkeypatch.setattr(database, "write", lambda: pytest.fail("a look without a find took a lock"))
    assert look(database) is None


def test_processes_of_one_worker_that_look_at_once_never_take_more_than_its_slots(database):
    enrol(database, slots=2)
    training, short = {make_job(database).id for _ in range(5)}, {ask(database) for _ in range(3)}
    barrier = threading.Barrier(8)

    def race(_: int) -> list[str]:
        barrier.wait()
        return look_until_nothing(database)

    with ThreadPoolExecutor(8) as pool:
        claimed = [job_id for found in pool.map(race, range(8)) for job_id in found]
    assert len(claimed) == len(set(claimed)) == 3
    assert (len(training & set(claimed)), len(short & set(claimed))) == (2, 1)


def test_workers_that_look_at_once_beside_heartbeats_take_every_job_once_and_leave_none(database):
    workers = [f"host-celery-{number}" for number in range(4)]
    for worker_id in workers:
        enrol(database, worker_id, slots=3)
    jobs = {make_job(database, owner=f"owner-{number % 3}").id for number in range(12)}
    barrier, stop = threading.Barrier(8), threading.Event()

    def race(number: int) -> list[str]:
        barrier.wait()
        return look_until_nothing(database, workers[number % 4])

    def beat() -> None:
        while not stop.is_set():
            enrol(database, workers[0], slots=3)
            with database.write() as work:
                work.queue.reset_wake_ups()
            with database.read() as work:
                due = work.queue.due_for_wake_up()
            if due:
                with database.write() as work:
                    work.queue.mark_woken(due)

    with ThreadPoolExecutor(9) as pool:
        beating = pool.submit(beat)
        claimed = [job_id for found in pool.map(race, range(8)) for job_id in found]
        stop.set()
        beating.result()
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == jobs


def test_the_first_job_is_not_overtaken_while_its_row_is_locked_for_a_moment(postgresql_url):
    database = Database(postgresql_url)
    enrol(database)
    first, _second = make_job(database), make_job(database)
    tried = (
        "SELECT count(*) FROM pg_locks WHERE relation = 'jobs'::regclass AND mode = 'RowShareLock' AND pid <> pg_backend_pid()"
    )
    with ThreadPoolExecutor(1) as pool:
        with database.write() as work:
            work.jobs.set_priority(first.id, 1)
            found = pool.submit(look, database)
            while work.connection.execute(text(tried)).scalar_one() == 0:
                assert not found.done()
        assert found.result() == first.id
    database.close()


def test_a_job_that_stays_locked_is_left_for_a_later_look_and_the_next_one_is_taken(postgresql_url, monkeypatch):
    monkeypatch.setattr("store.repositories.queue.LOCKED_SECONDS", 0.05)
    database = Database(postgresql_url)
    enrol(database, slots=2)
    first, second = make_job(database), make_job(database)
    with database.write() as work:
        work.jobs.set_priority(first.id, 1)
        assert look_until_nothing(database) == [second.id]
    assert look(database) == first.id
    database.close()


def test_a_job_whose_spec_is_damaged_is_claimed_for_its_trainer_to_fail_and_damaged_labels_hold_nobody_up(sqlite_url):
    database = Database(sqlite_url)
    enrol(database, slots=2)
    broken, whole, another = make_job(database).id, make_job(database).id, make_job(database).id
    execute(database, "UPDATE jobs SET created_at = 'aaa', labels = '[' WHERE id = :id", id=another)
    execute(database, "UPDATE jobs SET spec = '{' WHERE id = :id", id=broken)
    assert look_until_nothing(database) == [broken, whole]
    database.close()


@pytest.fixture
def num_looks_passed_on(database, broker_dir):
    """Passes a look on, if there is a reason to; how many that were."""
    wake_ups = WakeUps("filesystem://", broker_dir)

    def _num(*, has_claimed: bool) -> int:
        for file in (broker_dir / "messages").iterdir():
            file.unlink()
        was_sent = pass_on(database, wake_ups, has_claimed=has_claimed)
        num = len(list((broker_dir / "messages").iterdir()))
        assert num == was_sent
        return num

    yield _num
    wake_ups.close()


def test_a_look_is_passed_on_while_a_living_worker_has_room_for_what_is_due(database, num_looks_passed_on):
    enrol(database, slots=1)
    first, _second = make_job(database), make_job(database)
    assert num_looks_passed_on(has_claimed=True) == 1
    assert look(database) == first.id
    assert num_looks_passed_on(has_claimed=True) == 0, "the one slot is taken"
    enrol(database, "host-celery-2", labels=["gpu"])
    assert num_looks_passed_on(has_claimed=True) == 1
    execute(database, "UPDATE workers SET last_seen_at = '2020-01-01 00:00:00.000000' WHERE id = 'host-celery-2'")
    assert num_looks_passed_on(has_claimed=True) == 0, "nobody knows whether it lives"


def test_who_has_claimed_nothing_passes_a_look_on_only_for_jobs_that_were_woken_lately(database, job, num_looks_passed_on):
    enrol(database)
    assert num_looks_passed_on(has_claimed=False) == 1, "it is not woken yet"
    with database.write() as work:
        work.queue.mark_woken([job.id])
    assert num_looks_passed_on(has_claimed=False) == 1
    execute(database, "UPDATE jobs SET woken_at = '2020-01-01 00:00:00.000000'")
    assert num_looks_passed_on(has_claimed=False) == 0
    assert num_looks_passed_on(has_claimed=True) == 1


def test_a_worker_reminds_itself_of_what_it_has_room_for_however_patient_the_reaper_is(database, broker_dir):
    enrol(database)
    wake_ups = WakeUps("filesystem://", broker_dir)
    assert not remind(database, wake_ups, worker_id=WORKER)
    first, _second = make_job(database), make_job(database)
    execute(database, "UPDATE jobs SET num_wake_ups = 9, woken_at = updated_at")
    assert remind(database, wake_ups, worker_id=WORKER)
    assert look(database) == first.id
    assert not remind(database, wake_ups, worker_id=WORKER), "its slot is taken"
    assert len(list((broker_dir / "messages").iterdir())) == 1
    wake_ups.close()


def test_a_broker_that_is_away_does_not_keep_a_job_from_being_trained(database, job, broker_dir, caplog):
    enrol(database)
    wake_ups = WakeUps("filesystem://", broker_dir)
    (broker_dir / "messages").rmdir()
    assert not pass_on(database, wake_ups, has_claimed=True)
    assert "the next wake-up will be sent later" in caplog.text
    wake_ups.close()
