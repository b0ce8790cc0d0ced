"""What the record keeps of a job's data, and that no job goes on with others: on both engines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import null, select, update

from ewc_core.consolidation.constraint import weights_sha256
from ewc_core.events import Visit, VisitFinished
from ewc_core.resume import ResumePoint
from ewc_core.specs import AnalysisSpec, PlainTask
from store.blobs import read_blob, stage_blob
from store.job_states import JobStatus
from store.tables import JobRow, TaskRow
from tests.ewc_core.supervised.jobs import begin
from tests.ewc_core.sweep.specs import sweep
from worker.checkpoint import MEDIA_TYPE
from worker.runner import JobRunner, Outcome

_RNG = np.random.default_rng(0)
_INPUTS = _RNG.normal(size=(40, 3)).astype(np.float32)


@pytest.fixture
def settings(settings, tmp_path):
    return settings.model_copy(update={"data_dir": tmp_path})


def _save(folder: Path, name: str, scale: float = 1.0) -> None:
    np.savez(folder / f"{name}.npz", inputs=scale * _INPUTS, targets=np.arange(40) % 2)


def _tasks(*names: str) -> list[dict[str, Any]]:
    return [{"kind": "plain", "dataset": {"kind": "arrays", "path": f"{name}.npz"}} for name in names]


def _job(database, fence):
    with database.read() as work:
        return work.jobs.get(fence.job_id)


def _events(database, fence, kind: str):
    with database.read() as work:
        return [event for event in work.events.page(fence.job_id, limit=1000) if event.type == kind]


def _stopped(database, settings, fence) -> None:
    """Train one step, keep a resume point, and let go."""
    runner = JobRunner(database, settings, fence)
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    _requeue(database, fence, "worker_stopping")


def _requeue(database, fence, reason: str) -> None:
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason=reason, actor="tests", epoch=fence.epoch)
        work.leases.release(fence)


def _run_again(database, settings, claim, fence):
    again = claim(fence.job_id)
    assert JobRunner(database, settings, again).run() is Outcome.SETTLED
    return again, _job(database, fence)


def test_what_was_read_stands_with_every_task_and_is_said_once(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    _save(tmp_path, "b", scale=1e4)
    fence = claim(tasks=_tasks("a", "b", "a"))
    _stopped(database, settings, fence)
    with database.read() as work:
        data = [task.data for task in work.tasks.of_job(fence.job_id)]
    assert [[digest["name"] for digest in its["digests"]] for its in data] == [["a.npz"], ["b.npz"], ["a.npz"]]
    assert data[0]["as_read"]["num_of_class"] == {"train": [16, 16], "test": [4, 4]}
    assert [warning["code"] for warning in data[1]["warnings"]] == ["inputs_far_from_unit_scale", "tasks_scaled_differently"]
    _, job = _run_again(database, settings, claim, fence)
    assert job.status is JobStatus.SUCCEEDED
    (said,) = _events(database, fence, "data.read")
    assert said.data["lines"] == [
        f"data of tasks 0, 2: {said.data['lines'][0].partition(': ')[2]}",
        f"data of task 1: {said.data['lines'][1].partition(': ')[2]}",
    ]
    warned = [event.data["code"] for event in _events(database, fence, "job.warning")]
    assert warned.count("inputs_far_from_unit_scale") == 1


def test_a_changed_file_fails_the_job_which_goes_on_once_the_old_one_is_back(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    _save(tmp_path, "b")
    fence, content = claim(tasks=_tasks("a", "b")), (tmp_path / "b.npz").read_bytes()
    _stopped(database, settings, fence)
    _save(tmp_path, "b", scale=2.0)
    again, job = _run_again(database, settings, claim, fence)
    assert (job.status, job.error["code"], job.error["retryable"]) == (JobStatus.FAILED, "data_changed", True)
    assert "b.npz of task 1 ('b')" in job.error["message"]
    assert str(tmp_path) not in job.error["message"]
    (tmp_path / "b.npz").write_bytes(content)
    _requeue(database, again, "retry_requested")
    _, job = _run_again(database, settings, claim, fence)
    assert job.status is JobStatus.SUCCEEDED
    whole = claim(tasks=_tasks("a", "b"))
    JobRunner(database, settings, whole).run()
    assert job.weights_sha256 == _job(database, whole).weights_sha256


def test_a_job_that_died_before_its_first_resume_point_is_held_to_what_it_read(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    fence = claim(tasks=_tasks("a"))
    _stopped(database, settings, fence)
    with database.write() as work:
        work.resume_points.drop(fence.job_id)
    _save(tmp_path, "a", scale=2.0)
    _, job = _run_again(database, settings, claim, fence)
    assert job.error["code"] == "data_changed"


def test_an_open_stream_that_waited_does_not_go_on_with_other_data(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    fence = claim(tasks=_tasks("a"), stream="open")
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    with database.write() as work:
        task = work.tasks.add(fence.job_id, PlainTask.model_validate(_tasks("a")[0]))
        work.switches.append(fence.job_id, action="append", task_index=task.task_index, origin="tests")
    _requeue(database, fence, "task_announced")
    _save(tmp_path, "a", scale=2.0)
    _, job = _run_again(database, settings, claim, fence)
    assert job.error["code"] == "data_changed"


def test_a_job_of_before_there_were_digests_records_them_when_it_is_loaded_next(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    fence = claim(tasks=_tasks("a", "a"))
    _stopped(database, settings, fence)
    _forget_digests(database, fence)
    again = claim(fence.job_id)
    _stopped(database, settings, again)
    with database.read() as work:
        assert set(work.tasks.digests(fence.job_id)) == {"a.npz"}
    _save(tmp_path, "a", scale=2.0)
    _, job = _run_again(database, settings, claim, fence)
    assert job.error["code"] == "data_changed"


def _forget_digests(database, fence) -> None:
    """Leave the record as a version without digests would have."""
    with database.read() as work:
        saved = work.resume_points.get(fence.job_id)
    point = ResumePoint.from_bytes(read_blob(database, saved.blob_id))
    with database.write() as work:
        holder = work.leases.claim(fence.job_id, worker_id="worker-1", ttl_seconds=60)
        work.connection.execute(update(TaskRow).where(TaskRow.job_id == fence.job_id).values(data=null()))
    blob_id = stage_blob(database, replace(point, digests={}).to_bytes(), fence=holder, media_type=MEDIA_TYPE)
    with database.fenced(holder) as work:
        work.blobs.finish(blob_id)
        work.resume_points.put(fence.job_id, visit_index=point.visit_index, step=point.step, blob_id=blob_id)
    _requeue(database, holder, "worker_stopping")


def test_an_analysis_looks_at_the_data_that_were_learned(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    _save(tmp_path, "b")
    fence = claim(tasks=_tasks("a", "b"))
    JobRunner(database, settings, fence).run()
    _save(tmp_path, "b", scale=2.0)
    spec = AnalysisSpec.model_validate({"kind": "analysis", "job_id": fence.job_id, "question": {"kind": "capacity"}})
    with database.write() as work:
        asked = work.jobs.create(spec, owner="tests").id
    analysis = claim(asked)
    JobRunner(database, settings, analysis).run()
    assert _job(database, analysis).error["code"] == "data_changed"


def test_a_stored_job_without_a_version_is_split_as_it_always_was(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    training = {"num_epochs": 2, "batch_size": 8, "num_validation_examples": 7}
    fence = claim(tasks=_tasks("a"), training=training)
    with database.write() as work:
        stored = work.connection.execute(select(JobRow.spec).where(JobRow.id == fence.job_id)).scalar_one()
        assert stored.pop("spec_version") == 2
        work.connection.execute(update(JobRow).where(JobRow.id == fence.job_id).values(spec=stored))
    spec = _job(database, fence).spec
    assert spec.spec_version == 1
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    digests = {}
    for version in (1, 2):
        run = begin(spec.model_copy(update={"spec_version": version}), data_dir=tmp_path)
        with database.read() as work:
            visit = _first_visit(work, fence.job_id)
        assert isinstance([*run.learn(visit)][-1], VisitFinished)
        digests[version] = weights_sha256(run.weights("ewc"))
    assert _job(database, fence).weights_sha256 == digests[1] != digests[2]


def _first_visit(work, job_id):
    return Visit(index=0, task_index=0, task=work.tasks.get(job_id, 0).spec)


def test_every_trial_of_a_sweep_reads_what_its_first_trial_read(database, settings, claim, tmp_path):
    _save(tmp_path, "a")
    first, second, elsewhere = (claim(tasks=_tasks("a")) for _ in range(3))
    with database.write() as work:
        search, another = (work.sweeps.create(sweep(), owner="tests").id for _ in range(2))
        for sweep_id, number, fence in ((search, 0, first), (search, 1, second), (another, 0, elsewhere)):
            work.sweeps.add_trial(sweep_id, number=number, job_id=fence.job_id, parameters={})
    assert JobRunner(database, settings, first).run() is Outcome.SETTLED
    _save(tmp_path, "a", scale=2.0)
    for fence in (second, elsewhere):
        assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    assert _job(database, second).error["code"] == "data_changed"
    assert "a.npz of task 0 ('a')" in _job(database, second).error["message"]
    assert _job(database, elsewhere).status is JobStatus.SUCCEEDED
