"""Events: numbered without a gap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ewc_core.errors import NotFound
from tests.store.conftest import make_job


def test_events_are_paged_in_order(database, job):
    with database.write() as work:
        for number in range(5):
            work.events.append(job.id, type="visit.progress", message=f"step {number}", data={"step": number}, level="warn")
    with database.read() as work:
        page = work.events.page(job.id, after_seq=2, limit=3)
        assert [(event.seq, event.data, event.level) for event in page] == [
            (3, {"step": 1}, "warn"),
            (4, {"step": 2}, "warn"),
            (5, {"step": 3}, "warn"),
        ]
        assert work.events.page(job.id, after_seq=6) == []
        assert work.jobs.get(job.id).last_event_seq == 6


def test_eight_concurrent_writers_leave_no_gap_and_no_double(database, job):
    num_writers, num_events = 8, 15

    def write(writer: int) -> list[int]:
        seqs = []
        for number in range(num_events):
            with database.write() as work:
                seqs.append(work.events.append(job.id, type="test", message="", data={"writer": writer, "number": number}))
        return seqs

    with ThreadPoolExecutor(num_writers) as pool:
        seqs = list(pool.map(write, range(num_writers)))
    assert all(own == sorted(own) for own in seqs)
    with database.read() as work:
        events = work.events.page(job.id, limit=1000)
    assert [event.seq for event in events] == list(range(1, 2 + num_writers * num_events))
    assert sorted(seq for own in seqs for seq in own) == list(range(2, 2 + num_writers * num_events))


def test_a_rolled_back_event_leaves_no_gap(database, job):
    with pytest.raises(NotFound), database.write() as work:  # noqa: PT012 - what came before the failure is the point
        assert work.events.append(job.id, type="test", message="") == 2
        work.jobs.get("job_none")
    with database.write() as work:
        assert work.events.append(job.id, type="test", message="") == 2


def test_the_last_numbers_of_several_jobs(database, job):
    other = make_job(database)
    with database.write() as work:
        work.events.append(other.id, type="test", message="")
        assert work.events.last_seqs([job.id, other.id, "job_none"]) == {job.id: 1, other.id: 2}
        assert work.events.last_seqs([]) == {}
