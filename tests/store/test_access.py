"""API keys, idempotency keys and workers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ewc_core.errors import IdempotencyConflict, NotFound
from store.base import db_now
from store.tables import IdempotencyRow, WorkerRow
from store.unit_of_work import Work
from tests.store.conftest import OWNER, make_spec

ANSWER = {"request_sha256": "ab" * 32, "status": 201, "body": {"id": "job_1"}, "headers": {"Location": "/v1/jobs/job_1"}}
FACTS = {"hostname": "host", "pid": 7, "queue": "cpu", "slots": 2}


def create_key(work: Work, *, owner: str = OWNER, prefix: str = "ewc_1"):
    """A key."""
    return work.api_keys.create(owner=owner, name="laptop", scopes=["jobs:read"], prefix=prefix, secret_sha256="cd" * 32)


def test_a_key_is_found_by_its_prefix_and_listed_by_its_owner(database):
    with database.write() as work:
        assert work.api_keys.count() == 0
        key, other = create_key(work), create_key(work, owner="bob", prefix="ewc_2")
    with database.read() as work:
        assert work.api_keys.find("ewc_1") == key
        assert work.api_keys.find("ewc_3") is None
        assert work.api_keys.of_owner("bob") == [other]
        assert work.api_keys.count() == 2
    assert (key.owner, key.scopes, key.last_used_at, key.revoked_at) == (OWNER, ["jobs:read"], None, None)


def test_a_prefix_is_given_once(database):
    with database.write() as work:
        create_key(work)
    with pytest.raises(IntegrityError), database.write() as work:
        create_key(work, owner="bob")


def test_revoking_keeps_the_first_time_and_is_the_owners_alone(database):
    with database.write() as work:
        key = create_key(work)
        with pytest.raises(NotFound, match=key.id):
            work.api_keys.revoke(key.id, owner="mallory")
        revoked = work.api_keys.revoke(key.id, owner=OWNER)
    with database.write() as work:
        assert work.api_keys.revoke(key.id, owner=OWNER).revoked_at == revoked.revoked_at
        work.api_keys.touch(key.id)
        assert work.api_keys.find("ewc_1").last_used_at >= revoked.revoked_at


def test_an_answer_is_found_under_its_owner_and_key_only(database):
    with database.write() as work:
        work.idempotency.put(OWNER, "k", **ANSWER)
    with database.read() as work:
        found = work.idempotency.find(OWNER, "k")
        assert (found.request_sha256, found.status, found.body, found.headers) == tuple(ANSWER.values())
        assert work.idempotency.find("bob", "k") is None
        assert work.idempotency.find(OWNER, "other") is None


def test_of_requests_with_one_key_at_the_same_time_one_has_an_effect(database):
    barrier = threading.Barrier(8)

    def request(_: int) -> bool:
        barrier.wait()
        try:
            with database.write() as work:
                work.jobs.create(make_spec(), owner=OWNER)
                work.idempotency.put(OWNER, "k", **ANSWER)
        except IdempotencyConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(request, range(8))) == 1
    with database.read() as work:
        assert len(work.jobs.page(owner=OWNER, limit=10).items) == 1


def test_old_answers_are_forgotten(database):
    with database.write() as work:
        work.idempotency.put(OWNER, "old", **ANSWER)
        work.connection.execute(update(IdempotencyRow).values(created_at=db_now(-86500)))
        work.idempotency.put(OWNER, "new", **ANSWER)
        assert work.idempotency.collect(older_than_seconds=86400) == 1
        assert work.idempotency.find(OWNER, "old") is None
        assert work.idempotency.find(OWNER, "new") is not None


def test_workers_are_alive_while_they_beat(database):
    with database.write() as work:
        work.workers.beat("wrk_1", **FACTS)
        work.workers.beat("wrk_2", **FACTS)
        work.connection.execute(update(WorkerRow).where(WorkerRow.id == "wrk_1").values(last_seen_at=db_now(-40)))
        assert [worker.id for worker in work.workers.alive()] == ["wrk_2"]
        assert [worker.id for worker in work.workers.alive(alive_seconds=60)] == ["wrk_1", "wrk_2"]
    with database.write() as work:
        work.workers.beat("wrk_1", **{**FACTS, "slots": 3})
        first = work.workers.alive()[0]
        assert (first.id, first.slots, first.hostname, first.pid, first.queue) == ("wrk_1", 3, "host", 7, "cpu")
        assert first.started_at < first.last_seen_at
        work.workers.remove("wrk_1")
        assert [worker.id for worker in work.workers.alive()] == ["wrk_2"]
