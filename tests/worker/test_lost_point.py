"""A resume point that is damaged: the job goes on from what comes before it, with the bits of a job that nothing happened to."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.errors import Fenced, ResumePointDamaged
from ewc_core.specs import JOB_SPEC, PermutedTask
from store.job_states import JobStatus
from tests.worker.conftest import SPEC
from tests.worker.test_restored_job import TWO_GAMES, let_go
from tests.worker.test_stored_state import drop_chunks, flip
from worker.runner import JobRunner
from worker.stored_job import RecordedJob

pytestmark = pytest.mark.both_engines

OPEN = {**SPEC, "training": {"num_epochs": 1, "batch_size": 64}, "stream": "open"}
PATTERNS = {"kind": "association", "num_synapses": 20, "num_patterns": 40, "num_repeats": 2}
FIRST_STEP = (0, 1)
LOST = "resume_point_damaged"


@pytest.fixture
def submit(database):
    """Submit jobs; returns an id for each spec."""

    def _submit(*specs):
        with database.write() as work:
            return [work.jobs.create(JOB_SPEC.validate_python(spec), owner="tests").id for spec in specs]

    return _submit


@pytest.fixture
def go_on(database, settings, claim):
    """Train a job on to its rest, or to a step of a visit, where its trainer stops; returns it."""

    def _go_on(job_id, *, until=None, **changes):
        runner = JobRunner(database, settings.model_copy(update=changes), claim(job_id))
        after_step = runner._after_step

        def stop_there(run, event):
            if (event.visit.index, event.step) >= until:
                runner.stop()
            after_step(run, event)

        if until == FIRST_STEP:
            runner.stop()
        elif until is not None:
            runner._after_step = stop_there
        runner.run()
        if until is not None:
            let_go(database, job_id)
        with database.read() as work:
            return work.jobs.get(job_id)

    return _go_on


def damage(database, job_id) -> None:
    with database.write() as work:
        flip(work, work.resume_points.get(job_id).blob_id, -7)


def lose(database, job_id) -> None:
    with database.write() as work:
        drop_chunks(work, work.resume_points.get(job_id).blob_id)


def announce(database, job_id) -> None:
    with database.write() as work:
        task = work.tasks.add(job_id, PermutedTask(dataset="digits", permutation=2))
        work.switches.append(job_id, action="append", task_index=task.task_index, origin="api")


def learned(database, job_id):
    """What is on record of all that a job has learned, without ids and times."""
    with database.read() as work:
        cells = sorted((it.after_visit, it.method, it.task_index, it.score) for it in work.evaluations.of_job(job_id))
        hashes = [it.weights_sha256 for it in work.checkpoints.page(job_id).items]
        of_commits = ("task.consolidated", "evaluation.completed", "visit.finished", "data.read")
        commits = [it.message for it in work.events.page(job_id, limit=1000) if it.type in of_commits]
        return work.metrics.series(job_id), cells, hashes, commits, work.snapshots.visits(job_id)


def warnings(database, job_id):
    with database.read() as work:
        return [(it.message, it.data) for it in work.events.page(job_id, limit=1000) if it.type == "job.warning"]


@pytest.mark.parametrize("harm", [damage, lose])
def test_a_visit_whose_point_is_damaged_is_repeated_from_the_snapshot_before_it(database, submit, go_on, harm):
    job_id, undisturbed = submit(OPEN, OPEN)
    go_on(job_id, until=(1, 5))
    harm(database, job_id)
    for each in (job_id, undisturbed):
        announce(database, each)
        assert go_on(each).status is JobStatus.WAITING
    assert learned(database, job_id) == learned(database, undisturbed)
    assert warnings(database, job_id) == [
        (
            "the resume point at step 5 of visit 1 is damaged: the job went on from the snapshot of visit 0, and the steps up to "
            "there are repeated",
            {"code": LOST, "visit_index": 1, "step": 5},
        )
    ]


def test_a_job_without_a_finished_visit_begins_anew(database, submit, go_on):
    job_id, undisturbed = submit(SPEC, SPEC)
    go_on(job_id, until=(0, 5))
    damage(database, job_id)
    assert go_on(job_id).status is go_on(undisturbed).status is JobStatus.SUCCEEDED
    assert learned(database, job_id) == learned(database, undisturbed)
    ((message, _),) = warnings(database, job_id)
    assert "from the beginning, since nothing was finished before it" in message


def test_a_job_begins_anew_with_the_data_that_it_has_read_only(database, submit, go_on, tmp_path):
    def save(scale):
        inputs = scale * np.arange(120, dtype=np.float32).reshape(40, 3)
        np.savez(tmp_path / "a.npz", inputs=inputs, targets=np.arange(40) % 2)

    save(1.0)
    task = {"kind": "plain", "dataset": {"kind": "arrays", "path": "a.npz"}}
    (job_id,) = submit({**SPEC, "controls": [], "tasks": [task]})
    go_on(job_id, until=FIRST_STEP, data_dir=tmp_path)
    damage(database, job_id)
    save(2.0)
    assert go_on(job_id, data_dir=tmp_path).error["code"] == "data_changed"


def test_a_job_without_tasks_begins_anew_and_finds_the_same(database, submit, go_on):
    job_id, undisturbed = submit(PATTERNS, PATTERNS)
    go_on(job_id, until=FIRST_STEP)
    damage(database, job_id)
    assert go_on(job_id).status is go_on(undisturbed).status is JobStatus.SUCCEEDED
    with database.read() as work:
        assert work.results.get(job_id).body == work.results.get(undisturbed).body
    ((message, data),) = warnings(database, job_id)
    assert message.startswith("the resume point at step 1 is damaged: the job went on from the beginning")
    assert data["visit_index"] is None


def test_with_a_damaged_snapshot_before_it_the_job_fails(database, submit, go_on):
    (job_id,) = submit(SPEC)
    go_on(job_id, until=(1, 5))
    damage(database, job_id)
    with database.write() as work:
        work.connection.exec_driver_sql("UPDATE shared_chunks SET crc32 = crc32 + 1")
    job = go_on(job_id)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, LOST)
    assert "after visit 0" in job.error["message"]
    assert warnings(database, job_id) == []


def change_a_replay(database, job_id, replay_folder) -> None:
    (actions, *_) = sorted((replay_folder / job_id).glob("**/actions.bin"))
    actions.write_bytes(bytes(byte ^ 1 for byte in actions.read_bytes()))


@pytest.mark.parametrize("is_point_damaged", [True, False], ids=["the point", "a replay beside it"])
def test_an_agent_repeats_its_visit_with_the_replays_of_the_snapshot(database, settings, submit, go_on, is_point_damaged):
    job_id, undisturbed = submit(TWO_GAMES, TWO_GAMES)
    go_on(job_id, until=(1, 50), resume_seconds=86400)
    if is_point_damaged:
        damage(database, job_id)
    else:
        change_a_replay(database, job_id, settings.state_dir / "replay")
    for each in (job_id, undisturbed):
        job = go_on(each, resume_seconds=86400)
        assert job.status is JobStatus.SUCCEEDED, job.error
    assert learned(database, job_id) == learned(database, undisturbed)
    assert [data["code"] for _, data in warnings(database, job_id)] == [LOST]


def test_a_stale_trainer_that_meets_the_damage_leaves_the_replays_to_its_successor(database, settings, submit, go_on, claim):
    (job_id,) = submit(TWO_GAMES)
    go_on(job_id, until=(1, 50), resume_seconds=86400)
    damage(database, job_id)
    with database.read() as work:
        job = work.jobs.get(job_id)
    stale = RecordedJob(database, settings, claim(job_id), job)
    let_go(database, job_id)
    with pytest.raises(ResumePointDamaged) as damaged:
        _ = stale.point
    with pytest.raises(Fenced):
        stale.without_point(damaged.value)
    assert list((settings.state_dir / "replay" / job_id).glob("**/actions.bin"))


def test_an_agent_fails_where_its_snapshot_keeps_no_replays(database, submit, go_on):
    (job_id,) = submit(TWO_GAMES)
    go_on(job_id, until=(1, 50), resume_seconds=86400, snapshot_replay_bytes=0)
    damage(database, job_id)
    job = go_on(job_id, snapshot_replay_bytes=0)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, LOST)
    assert "at visit 1, step 5" in job.error["message"]
