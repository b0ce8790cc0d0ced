"""What a trainer leaves in the record, on both engines."""

from __future__ import annotations

import pytest
import torch

from ewc_core.consolidation.constraint import Constraint, weights_sha256
from ewc_core.errors import Fenced
from ewc_core.events import Consolidated
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import run
from store.blobs import read_blob
from store.job_states import DesiredState, JobStatus
from tests.worker.conftest import SPEC
from worker.recorder import Recorder
from worker.runner import JobRunner, Outcome

pytestmark = pytest.mark.both_engines


def _job(database, fence):
    with database.read() as work:
        return work.jobs.get(fence.job_id)


def test_a_finished_job_leaves_checkpoints_scores_and_a_hash_equal_to_the_core_alone(database, settings, claim):
    fence = claim()
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    constraints = [event.constraint for event in run(SupervisedSpec.model_validate(SPEC)) if isinstance(event, Consolidated)]
    with database.read() as work:
        job = work.jobs.get(fence.job_id)
        checkpoints = sorted(work.checkpoints.page(job.id).items, key=lambda checkpoint: checkpoint.visit_index)
        stored = [constraint.checkpoint_id for constraint in work.constraints.of_job(job.id)]
        evaluations = work.evaluations.of_job(job.id)
        tasks = work.tasks.of_job(job.id)
    assert job.status is JobStatus.SUCCEEDED
    assert job.weights_sha256 == weights_sha256(constraints[-1].anchor)
    assert stored == [checkpoint.id for checkpoint in checkpoints]
    for checkpoint, expected in zip(checkpoints, constraints, strict=True):
        assert read_blob(database, checkpoint.blob_id) == expected.to_bytes()
    cells = {(e.method, e.after_visit, e.task_index) for e in evaluations}
    after_training = {("ewc", 0, 0), ("ewc", 1, 0), ("ewc", 1, 1), ("naive", 0, 0), ("naive", 1, 0), ("naive", 1, 1)}
    zero_shot = {(m, after, task) for m in ("ewc", "naive") for after, task in ((-1, 0), (-1, 1), (0, 1))}
    assert cells == after_training | zero_shot
    assert {(e.metric, e.num_examples, e.chance) for e in evaluations} == {("accuracy", 360, 0.1)}
    assert all(e.interval[0] <= e.score <= e.interval[1] for e in evaluations)
    assert [task.status for task in tasks] == ["completed", "completed"]


def test_a_stopped_trainer_leaves_a_resume_point_from_which_the_bits_are_the_same(database, settings, claim):
    fence = claim()
    runner = JobRunner(database, settings, fence)
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    with database.write() as work:
        point = work.resume_points.get(fence.job_id)
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    assert (point.visit_index, point.step) == (0, 1)
    JobRunner(database, settings, claim(fence.job_id)).run()
    whole = claim()
    JobRunner(database, settings, whole).run()
    assert _job(database, fence).weights_sha256 == _job(database, whole).weights_sha256


@pytest.mark.parametrize("logged_step", [20, 40, 46])
def test_what_was_measured_before_a_resume_point_is_stored_with_it(database, settings, claim, monkeypatch, logged_step):
    """A trainer that is stopped, or killed after its point, goes on behind it, and would never measure it again."""
    whole, fence = claim(), claim()
    settings = settings.model_copy(update={"flush_seconds": 86400, "resume_seconds": 86400})
    JobRunner(database, settings, whole).run()
    runner = JobRunner(database, settings, fence)
    after_step = runner._after_step

    def stop_there(run, event):
        if event.step == logged_step:
            runner.stop()
        after_step(run, event)

    monkeypatch.setattr(runner, "_after_step", stop_there)
    assert runner.run() is Outcome.STOPPED
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    JobRunner(database, settings, claim(fence.job_id)).run()
    with database.read() as work:
        assert work.metrics.series(fence.job_id) == work.metrics.series(whole.job_id)


def test_a_stale_trainer_writes_nothing(database, settings, claim):
    fence = claim()
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="lease_expired", actor="tests")
        work.leases.release(fence)
    claim(fence.job_id)
    before = _job(database, fence)
    with pytest.raises(Fenced):
        JobRunner(database, settings, fence).run()
    assert _job(database, fence) == before


@pytest.mark.parametrize(
    ("asked", "via", "ends"),
    [
        (DesiredState.CANCEL, JobStatus.CANCELLING, JobStatus.CANCELLED),
        (DesiredState.PAUSE, JobStatus.PAUSING, JobStatus.PAUSED),
    ],
)
def test_an_order_given_while_training_is_obeyed(database, settings, claim, monkeypatch, asked, via, ends):
    fence = claim()
    flush = Recorder.flush

    def order_then_flush(self, *args, **kwargs):
        if _job(database, fence).status is JobStatus.RUNNING:
            with database.write() as work:
                work.jobs.transition(fence.job_id, via, reason="requested", actor="tests")
                work.jobs.set_desired_state(fence.job_id, asked)
        return flush(self, *args, **kwargs)

    monkeypatch.setattr(Recorder, "flush", order_then_flush)
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    assert _job(database, fence).status is ends
    with database.read() as work:
        point = work.resume_points.get(fence.job_id)
    assert (point is not None) == (ends is JobStatus.PAUSED)


def test_a_diverging_job_fails_and_says_what_to_try(database, settings, claim):
    explicit = {"kind": "l2", "ewc_lambda": 1e12, "penalty_step": "explicit"}
    fence = claim(method=explicit, training={"optimiser": "sgd", "learning_rate": 1.0, "batch_size": 64})
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    job = _job(database, fence)
    assert job.status is JobStatus.FAILED
    assert job.error["code"] == "non_finite"
    assert "learning_rate" in job.error["message"]


def test_a_data_set_without_files_fails_the_job_and_names_them(database, settings, claim):
    fence = claim(tasks=[{"dataset": "mnist"}])
    JobRunner(database, settings, fence).run()
    job = _job(database, fence)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "dataset_unavailable")
    assert "train-images-idx3-ubyte.gz" in job.error["message"]


def test_a_revisit_replaces_the_constraint_of_its_task(database, settings, claim):
    fence = claim(stream="open")
    JobRunner(database, settings, fence).run()
    assert _job(database, fence).status is JobStatus.WAITING
    with database.write() as work:
        first = work.constraints.of_job(fence.job_id)
        work.leases.release(fence)
        work.switches.append(fence.job_id, action="revisit", task_index=0, origin="api")
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="task_announced", actor="tests")
    JobRunner(database, settings, claim(fence.job_id)).run()
    with database.read() as work:
        second = work.constraints.of_job(fence.job_id)
        blob_ids = [work.checkpoints.get(constraint.checkpoint_id).blob_id for constraint in second]
    assert [constraint.task_index for constraint in second] == [0, 1]
    assert (second[0].visit_index, second[1]) == (2, first[1])
    replaced = Constraint.from_bytes(read_blob(database, blob_ids[0]))
    assert all(torch.isfinite(fisher).all() for fisher in replaced.fisher.values())


def test_a_switch_that_asks_for_now_ends_the_visit_at_the_recorded_step(database, settings, claim, monkeypatch):
    fence = claim(stream="open", tasks=[{"dataset": "digits"}])
    flush = Recorder.flush

    def switch_then_flush(self, visit, *, step, num_steps, fisher=None):
        if visit.index == 0 and step == 5 and fisher is None:
            with database.write() as work:
                work.switches.append(fence.job_id, action="revisit", task_index=0, origin="api", now=True)
        return flush(self, visit, step=step, num_steps=num_steps, fisher=fisher)

    monkeypatch.setattr(Recorder, "flush", switch_then_flush)
    JobRunner(database, settings, fence).run()
    with database.read() as work:
        visits = work.switches.visits(fence.job_id)
    assert [(visit.cut_at_step, visit.num_steps, visit.status) for visit in visits] == [(5, 5, "done"), (None, 46, "done")]


def test_every_request_to_end_a_visit_is_used_up_by_that_visit(database, settings, claim, monkeypatch):
    fence = claim(tasks=[{"dataset": "digits", "permutation": k} for k in range(3)])
    flush = Recorder.flush

    def switch_thrice_then_flush(self, visit, *, step, num_steps, fisher=None):
        if visit.index == 0 and step == 5 and fisher is None:
            with database.write() as work:
                for _ in range(3):
                    work.switches.append(fence.job_id, action="switch_now", origin="api")
        return flush(self, visit, step=step, num_steps=num_steps, fisher=fisher)

    monkeypatch.setattr(Recorder, "flush", switch_thrice_then_flush)
    JobRunner(database, settings, fence).run()
    with database.read() as work:
        switches = work.switches.page(fence.job_id, limit=100).items
    assert [switch.num_steps for switch in switches if switch.visit_index is not None] == [5, 46, 46]
    assert {switch.status for switch in switches} == {"done"}


@pytest.mark.parametrize("asked", ["stop", "pause"])
def test_a_stop_or_pause_during_the_fisher_keeps_the_place_and_the_bits(database, settings, claim, monkeypatch, asked):
    fence = claim()
    runner = JobRunner(database, settings, fence)
    flush = Recorder.flush

    def interrupt_then_flush(self, visit, *, step, num_steps, fisher=None):
        if fisher is not None and _job(database, fence).status is JobStatus.RUNNING:
            if asked == "stop":
                runner.stop()
            else:
                with database.write() as work:
                    work.jobs.transition(fence.job_id, JobStatus.PAUSING, reason="requested", actor="tests")
                    work.jobs.set_desired_state(fence.job_id, DesiredState.PAUSE)
        return flush(self, visit, step=step, num_steps=num_steps, fisher=fisher)

    monkeypatch.setattr(Recorder, "flush", interrupt_then_flush)
    runner.run()
    monkeypatch.undo()
    with database.write() as work:
        point = work.resume_points.get(fence.job_id)
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="tests", actor="tests")
        work.leases.release(fence)
    assert (point.visit_index, point.step) == (0, 46)
    JobRunner(database, settings, claim(fence.job_id)).run()
    whole = claim()
    JobRunner(database, settings, whole).run()
    assert _job(database, fence).weights_sha256 == _job(database, whole).weights_sha256
