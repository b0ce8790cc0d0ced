"""Task switches: order, visits, revisits, cuts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ewc_core.errors import NotFound, SequenceConflict, SpecError, StreamClosed
from ewc_core.specs import PermutedTask
from store.records import SwitchRecord
from store.unit_of_work import Database
from tests.store.conftest import execute, make_job


def append(database: Database, job_id: str, action: str, **values) -> SwitchRecord:
    """Announce a switch as the API does."""
    with database.write() as work:
        return work.switches.append(job_id, action=action, origin="api", **values)


def test_a_revisit_is_a_new_visit_of_an_old_task(database, job):
    switch = append(database, job.id, "revisit", task_index=0)
    assert (switch.sequence, switch.visit_index, switch.task_index, switch.status, switch.origin) == (3, 2, 0, "pending", "api")
    with database.read() as work:
        assert [visit.task_index for visit in work.switches.visits(job.id)] == [0, 1, 0]
        assert work.jobs.get(job.id).last_switch_sequence == 3


def test_switch_now_and_close_take_a_number_but_no_visit(database, job):
    now = append(database, job.id, "switch_now")
    close = append(database, job.id, "close")
    appended = append(database, job.id, "revisit", task_index=1)
    assert (now.sequence, now.visit_index, now.status) == (3, None, "pending")
    assert (close.sequence, close.visit_index, close.status) == (4, None, "done")
    assert (appended.sequence, appended.visit_index) == (5, 2)
    with database.read() as work:
        assert [switch.sequence for switch in work.switches.page(job.id, limit=100).items] == [1, 2, 3, 4, 5]
        assert [visit.sequence for visit in work.switches.visits(job.id)] == [1, 2, 5]


def test_the_expected_sequence_must_be_the_next_one(database, job):
    for given in (2, 4):
        with pytest.raises(SequenceConflict, match=f"has sequence {given}, expected 3"):
            append(database, job.id, "switch_now", expected_sequence=given)
    assert append(database, job.id, "switch_now", expected_sequence=3).sequence == 3


def test_switches_announced_at_once_get_different_numbers_and_visits(database, job):
    with ThreadPoolExecutor(8) as pool:
        switches = list(pool.map(lambda _: append(database, job.id, "revisit", task_index=0), range(8)))
    assert sorted(switch.sequence for switch in switches) == list(range(3, 11))
    assert sorted(switch.visit_index for switch in switches) == list(range(2, 10))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"action": "jump"}, "action"),
        ({"action": "append"}, "task_index"),
        ({"action": "switch_now", "task_index": 0}, "task_index"),
        ({"action": "close", "now": True}, "now"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_by_field(database, job, values, field):
    with pytest.raises(SpecError) as refused:
        append(database, job.id, **values)
    assert refused.value.field == field


def test_a_switch_to_a_task_that_is_not_there_is_refused_and_takes_no_number(database, job):
    with pytest.raises(NotFound, match=f"{job.id}/2"):
        append(database, job.id, "revisit", task_index=2)
    assert append(database, job.id, "switch_now").sequence == 3


def test_a_closed_stream_takes_no_further_task_but_still_switches_now(database):
    job = make_job(database, stream="closed")
    with pytest.raises(StreamClosed, match="switch_now"):
        append(database, job.id, "revisit", task_index=0)
    assert append(database, job.id, "switch_now").sequence == 3


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_finished_job_takes_no_switch(database, job, status):
    execute(database, "UPDATE jobs SET status = :status", status=status)
    for action in ("switch_now", "close"):
        with pytest.raises(StreamClosed, match=status):
            append(database, job.id, action)


def test_visits_are_done_in_order(database, job):
    with database.write() as work:
        first = work.switches.next_visit(job.id)
        assert (first.visit_index, first.status) == (0, "pending")
        work.switches.start_visit(job.id, 0)
        assert work.switches.next_visit(job.id).status == "active"
        work.switches.finish_visit(job.id, 0, num_steps=12)
        assert work.switches.next_visit(job.id).visit_index == 1
        work.switches.start_visit(job.id, 1)
        work.switches.finish_visit(job.id, 1, num_steps=8)
        assert work.switches.next_visit(job.id) is None
        done = work.switches.visits(job.id)
    assert [(visit.status, visit.num_steps) for visit in done] == [("done", 12), ("done", 8)]
    assert all(visit.finished_at is not None for visit in done)


def test_switch_now_cuts_the_running_visit_once(database, job):
    with database.write() as work:
        work.switches.start_visit(job.id, 0)
        assert not work.switches.is_cut_requested(job.id, visit_index=0)
    append(database, job.id, "switch_now")
    append(database, job.id, "switch_now")
    with database.write() as work:
        assert work.switches.is_cut_requested(job.id, visit_index=0)
        cuts = work.switches.cuts_requested(job.id, visit_index=0)
        assert [cut.sequence for cut in cuts] == [3, 4]
        work.switches.mark_cut(job.id, visit_index=0, step=5, by=cuts[:1])
        work.switches.finish_visit(job.id, 0, num_steps=5)
    with database.read() as work:
        assert work.switches.visits(job.id)[0].cut_at_step == 5
        assert work.switches.get(job.id, 3).status == "done"
        # A request that was not among those is a request of its own: it cuts the visit that follows.
        assert [cut.sequence for cut in work.switches.cuts_requested(job.id, visit_index=1)] == [4]


def test_a_task_appended_now_cuts_the_running_visit_and_later_runs_itself(database, job):
    with database.write() as work:
        work.tasks.add(job.id, PermutedTask(dataset="digits", permutation=7))
    append(database, job.id, "append", task_index=2, now=True)
    append(database, job.id, "revisit", task_index=0)
    with database.write() as work:
        (cut,) = work.switches.cuts_requested(job.id, visit_index=0)
        assert (cut.sequence, cut.now, cut.visit_index) == (3, True, 2)
        work.switches.mark_cut(job.id, visit_index=0, step=2, by=[cut])
        spent = work.switches.get(job.id, 3)
        assert (spent.now, spent.status) == (False, "pending")
        assert not work.switches.is_cut_requested(job.id, visit_index=1)


def test_a_switch_never_cuts_a_visit_that_was_announced_after_it(database, job):
    append(database, job.id, "switch_now")
    append(database, job.id, "revisit", task_index=0)
    with database.read() as work:
        assert not work.switches.is_cut_requested(job.id, visit_index=2)


def test_a_visit_or_switch_that_is_not_there_is_not_found(database, job):
    with database.write() as work:
        for change in (
            lambda: work.switches.start_visit(job.id, 9),
            lambda: work.switches.finish_visit(job.id, 9, num_steps=1),
            lambda: work.switches.mark_cut(job.id, visit_index=9, step=1, by=[work.switches.get(job.id, 1)]),
            lambda: work.switches.get(job.id, 9),
        ):
            with pytest.raises(NotFound, match=f"{job.id}/9"):
                change()
