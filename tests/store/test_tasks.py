"""Tasks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ewc_core.errors import NotFound
from ewc_core.specs import PermutedTask


def test_an_announced_task_gets_the_next_index_and_keeps_its_spec(database, job):
    spec = PermutedTask(dataset="digits", permutation=9, name="ninth")
    with database.write() as work:
        added = work.tasks.add(job.id, spec)
    with database.read() as work:
        assert work.tasks.get(job.id, 2) == added
        assert [task.task_index for task in work.tasks.of_job(job.id)] == [0, 1, 2]
    assert (added.name, added.spec, added.status, added.num_visits, added.checkpoint_id) == ("ninth", spec, "pending", 0, None)


def test_tasks_announced_at_once_get_different_indices(database, job):
    def add(_: int) -> int:
        with database.write() as work:
            return work.tasks.add(job.id, PermutedTask(dataset="digits")).task_index

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(add, range(6))) == [2, 3, 4, 5, 6, 7]


def test_visits_add_up_and_the_newest_checkpoint_stays(database, job):
    with database.write() as work:
        work.tasks.set_status(job.id, 0, "training")
        work.tasks.note_visit_done(job.id, 0, num_examples_seen=100, checkpoint_id="ckpt_1")
        once = work.tasks.get(job.id, 0)
        work.tasks.note_visit_done(job.id, 0, num_examples_seen=50, checkpoint_id=None)
        twice = work.tasks.get(job.id, 0)
    assert (once.status, once.num_visits, once.num_examples_seen, once.checkpoint_id) == ("completed", 1, 100, "ckpt_1")
    assert (twice.num_visits, twice.num_examples_seen, twice.checkpoint_id) == (2, 150, "ckpt_1")
    assert twice.completed_at is not None


def test_a_task_that_is_not_there_is_not_found(database, job):
    with database.write() as work:
        with pytest.raises(NotFound, match=f"{job.id}/5"):
            work.tasks.get(job.id, 5)
        with pytest.raises(NotFound, match=f"{job.id}/5"):
            work.tasks.set_status(job.id, 5, "training")
