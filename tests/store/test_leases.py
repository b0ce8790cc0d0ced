"""Leases: one holder, fenced writes, the database's clock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ewc_core.errors import Fenced
from store.blobs import stage_blob
from store.records import Fence, MetricPoint
from store.unit_of_work import Database, Work
from tests.store.conftest import claim, execute, expire_lease, make_job


def test_a_claim_starts_the_job_and_counts_the_attempt(database, job):
    fence = claim(database, job.id, ttl_seconds=15)
    assert fence == Fence(job_id=job.id, epoch=1, worker_id="wrk_1")
    with database.read() as work:
        claimed = work.jobs.get(job.id)
        assert (claimed.status, claimed.attempt, claimed.attempts_since_progress) == ("starting", 1, 1)
        move = work.jobs.transitions(job.id)[-1]
        assert (move.to_status, move.epoch, move.actor) == ("starting", 1, "wrk_1")
        lease = work.leases.get(job.id)
        assert (lease.epoch, lease.worker_id) == (1, "wrk_1")
        assert timedelta(seconds=10) < lease.expires_at - work.now <= timedelta(seconds=15)


def test_before_its_first_claim_a_job_has_no_lease(database, job):
    with database.read() as work:
        assert work.leases.get(job.id) is None
    with pytest.raises(Fenced), database.fenced(Fence(job.id, 0, "wrk_1")):
        pass


def test_of_twenty_workers_that_claim_at_once_one_wins(database, job):
    barrier = threading.Barrier(20)

    def compete(number: int) -> Fence | None:
        barrier.wait()
        with database.write() as work:
            return work.leases.claim(job.id, worker_id=f"wrk_{number}", ttl_seconds=15)

    with ThreadPoolExecutor(20) as pool:
        fences = [fence for fence in pool.map(compete, range(20)) if fence is not None]
    assert len(fences) == 1
    with database.read() as work:
        assert work.leases.get(job.id).worker_id == fences[0].worker_id
        assert work.jobs.get(job.id).attempt == 1


def test_a_job_that_is_not_queued_or_should_not_run_cannot_be_claimed(database, job):
    with database.write() as work:
        work.jobs.set_desired_state(job.id, "pause")
        assert work.leases.claim(job.id, worker_id="wrk_1", ttl_seconds=15) is None
        work.jobs.set_desired_state(job.id, "run")
        work.jobs.transition(job.id, "paused", reason="paused", actor="alice")
        assert work.leases.claim(job.id, worker_id="wrk_1", ttl_seconds=15) is None
        assert work.leases.claim("job_none", worker_id="wrk_1", ttl_seconds=15) is None


def test_a_heartbeat_extends_the_lease_and_brings_the_owners_wish(database, held):
    expire_lease(database, held.id)
    with database.write() as work:
        assert work.leases.extend(held.fence, ttl_seconds=15) == "run"
        work.jobs.set_desired_state(held.id, "cancel")
    with database.write() as work:
        assert work.leases.extend(held.fence, ttl_seconds=15) == "cancel"
        assert work.leases.get(held.id).expires_at > work.now
        assert work.leases.expired() == []


def test_a_lease_expires_by_the_databases_clock(database, held):
    with database.read() as work:
        assert work.leases.expired() == []
    expire_lease(database, held.id)
    with database.read() as work:
        (expired,) = work.leases.expired()
    assert (expired.job_id, expired.status, expired.epoch, expired.attempts_since_progress) == (held.id, "running", 1, 1)


@pytest.mark.parametrize("status", ["queued", "waiting", "paused", "succeeded", "failed", "cancelled"])
def test_an_old_lease_of_a_job_that_nobody_holds_is_not_expired(database, held, status):
    expire_lease(database, held.id)
    execute(database, "UPDATE jobs SET status = :status", status=status)
    with database.read() as work:
        assert work.leases.expired() == []


def test_a_released_lease_writes_nothing_more_and_the_next_claim_has_the_next_epoch(database, held):
    with database.fenced(held.fence) as work:
        work.jobs.transition(held.id, "queued", reason="worker_stopping", actor="wrk_1", epoch=1)
        work.leases.release(held.fence)
    with pytest.raises(Fenced), database.fenced(held.fence):
        pass
    with pytest.raises(Fenced), database.write() as work:
        work.leases.release(held.fence)
    assert claim(database, held.id, worker_id="wrk_2").epoch == 2


def test_an_expired_lease_can_be_taken_away_once_but_not_after_a_heartbeat(database, held):
    expire_lease(database, held.id)
    with database.write() as work:
        (expired,) = work.leases.expired()
        work.leases.extend(held.fence, ttl_seconds=15)
        assert not work.leases.revoke(expired)
    with database.fenced(held.fence):
        pass
    expire_lease(database, held.id)
    with database.write() as work:
        assert work.leases.revoke(expired)
    with pytest.raises(Fenced), database.write() as work:
        work.leases.extend(held.fence, ttl_seconds=15)


WRITES = {
    "progress": lambda work, job_id: work.jobs.record_progress(job_id, visit_index=0, step=1, num_steps=2),
    "progress made": lambda work, job_id: work.jobs.note_progress_made(job_id),
    "result": lambda work, job_id: work.jobs.set_weights(job_id, weights_sha256="00"),
    "task status": lambda work, job_id: work.tasks.set_status(job_id, 0, "training"),
    "visit done": lambda work, job_id: work.tasks.note_visit_done(job_id, 0, num_examples_seen=3, checkpoint_id=None),
    "visit start": lambda work, job_id: work.switches.start_visit(job_id, 0),
    "visit cut": lambda work, job_id: work.switches.mark_cut(job_id, visit_index=0, step=1, by=[work.switches.get(job_id, 2)]),
    "visit end": lambda work, job_id: work.switches.finish_visit(job_id, 0, num_steps=2),
    "metrics": lambda work, job_id: work.metrics.put(job_id, [MetricPoint("ewc", "loss", 0, 1, 0.5)]),
    "scores": lambda work, job_id: work.evaluations.put_row(
        job_id, method="ewc", after_visit=0, scores={0: 0.9}, num_examples={0: 9}
    ),
    "event": lambda work, job_id: work.events.append(job_id, type="test", message=""),
    "move": lambda work, job_id: work.jobs.transition(job_id, "failed", reason="test", actor="wrk_1"),
    "blob": lambda work, job_id: work.blobs.create(size=1, sha256="00", media_type="test"),
}
TABLES = ("jobs", "tasks", "task_switches", "metrics", "evaluations", "job_events", "job_transitions", "blobs", "leases")


@pytest.mark.parametrize("kind", WRITES)
def test_a_stale_holder_writes_nothing_and_the_present_one_does(database, held, kind):
    expire_lease(database, held.id)
    with database.write() as work:
        (expired,) = work.leases.expired()
        work.leases.revoke(expired)
        work.jobs.transition(held.id, "queued", reason="lease_expired", actor="reaper")
    stale, present = held.fence, claim(database, held.id, worker_id="wrk_2")
    before = _everything(database)
    with pytest.raises(Fenced, match="lease epoch 1"), database.fenced(stale) as work:
        WRITES[kind](work, held.id)
    assert _everything(database) == before
    with database.fenced(present) as work:
        WRITES[kind](work, held.id)
    assert _everything(database) != before


def test_a_holder_without_its_lease_is_refused_before_anybody_claims_the_job_again(database, held):
    expire_lease(database, held.id)
    with database.write() as work:
        (expired,) = work.leases.expired()
        work.leases.revoke(expired)
        work.jobs.transition(held.id, "queued", reason="lease_expired", actor="reaper")
    with pytest.raises(Fenced), database.fenced(held.fence):
        pass


def test_a_stale_holder_stages_no_blob(database, held):
    with database.write() as work:
        work.leases.release(held.fence)
    with pytest.raises(Fenced):
        stage_blob(database, b"weights", fence=held.fence, media_type="test")
    with database.read() as work:
        assert work.connection.exec_driver_sql("SELECT count(*) FROM blobs").scalar_one() == 0


def test_losing_the_lease_in_the_middle_of_a_write_waits_for_its_end(database, held):
    """The guard holds the job's and the lease's rows: taking the lease away happens before or after, never in between."""
    expire_lease(database, held.id)
    inside, order = threading.Event(), []

    def take_away() -> None:
        inside.wait()
        with database.write() as work:
            if work.leases.revoke(expired):
                order.append("taken away")

    with database.read() as work:
        (expired,) = work.leases.expired()
    thread = threading.Thread(target=take_away)
    thread.start()
    with database.fenced(held.fence) as work:
        inside.set()
        for _ in range(20):
            work.events.append(held.id, type="test", message="")
        order.append("written")
    thread.join()
    assert order == ["written", "taken away"]


def test_a_fenced_write_holds_the_rows_of_its_job_and_lease_from_the_start(postgresql_url):
    database = Database(postgresql_url)
    fence = claim(database, make_job(database).id)
    with database.fenced(fence), database.write() as other:
        for table in ("jobs", "leases"):
            free = f"SELECT 1 FROM {table} FOR UPDATE SKIP LOCKED"
            assert other.connection.exec_driver_sql(free).all() == [], table
    database.close()


def test_api_writes_claims_heartbeats_and_fenced_writes_do_not_deadlock(database):
    job = make_job(database)
    fence = claim(database, job.id)
    stop = threading.Event()
    done = set()

    def until_stopped(action) -> None:
        while not stop.is_set():
            with database.write() as work:
                action(work)
            done.add(action)

    def heartbeat(work: Work) -> None:
        assert work.leases.extend(fence, ttl_seconds=15) == "run"

    def claim_what_is_held(work: Work) -> None:
        assert work.leases.claim(job.id, worker_id="wrk_2", ttl_seconds=15) is None

    def api_write(work: Work) -> None:
        work.jobs.get(job.id, lock=True)
        work.jobs.set_desired_state(job.id, "run")

    others = {api_write, heartbeat, claim_what_is_held}
    num_writes = 0
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(until_stopped, action) for action in others]
        try:
            while num_writes < 40 or not (done >= others or any(future.done() for future in futures)):
                with database.fenced(fence) as work:
                    work.events.append(job.id, type="test", message=str(num_writes))
                num_writes += 1
        finally:
            stop.set()
        for future in futures:
            future.result()
    assert done == others
    with database.read() as work:
        assert work.jobs.get(job.id).last_event_seq == 2 + num_writes


def _everything(database) -> dict[str, list[tuple]]:
    with database.read() as work:
        return {
            table: sorted((tuple(row) for row in work.connection.exec_driver_sql(f"SELECT * FROM {table}")), key=repr)
            for table in TABLES
        }
