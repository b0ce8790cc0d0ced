"""Any visit of a job, restored from its snapshot alone: the same matrix row, and the same bits from there on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sqlalchemy import update

from ewc_core.consolidation.constraint import weights_sha256
from ewc_core.errors import ResumePointDamaged, SpecError
from ewc_core.events import Evaluated, Visit
from ewc_core.specs import JOB_SPEC
from ewc_core.training.take_up import take_up_tasks
from store.base import db_now
from store.job_states import JobStatus
from store.tables import BlobRow
from store.unit_of_work import Database
from tests.worker.conftest import SPEC
from worker.restored_job import restore
from worker.runner import JobRunner
from worker.settings import WorkerSettings
from worker.snapshot import StagedSnapshot
from worker.stored_subject import load_subject

SUPERVISED = {**SPEC, "training": {"num_epochs": 1, "batch_size": 64}, "stream": "open"}
JOBS = {
    "ewc": {**SUPERVISED, "controls": ["naive", "joint"]},
    "online_ewc": {**SUPERVISED, "method": {"kind": "online_ewc", "ewc_lambda": 10.0, "fisher_decay": 0.9}},
    "dropout": {
        **SUPERVISED,
        "network": {"hidden_sizes": [512]},
        "method": {"kind": "dropout", "patience": 1},
        "training": {"num_epochs": 2, "batch_size": 64, "num_validation_examples": 100},
        "controls": [],
    },
    "si": {**SUPERVISED, "method": {"kind": "si", "strength": 1.0}, "controls": []},
    "games": {
        "kind": "reinforcement",
        "seed": 7,
        "network": {"kind": "mlp", "hidden_sizes": [6]},
        "agent": {"preset": "small", "replay_capacity": 300, "min_history": 40},
        "method": {"kind": "ewc", "ewc_lambda": 10.0, "ewc_start_frames": 0, "fisher": {"num_minibatches": 2}},
        "task_inference": {"kind": "flat", "num_levels": 2, "prior_count": 0.5, "window": 64, "update_every": 1},
        "controls": ["independent"],
        "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": k} for k in (1, 2)],
        "schedule": {"kind": "explicit", "num_steps": 500, "visits": [{"task": 0}, {"task": 1}, {"task": 0}]},
        "evaluation": {"num_episodes": 2, "max_steps": 20},
    },
}
REVISITS = [0, 1]
TWO_GAMES = {
    **JOBS["games"],
    "controls": [],
    "schedule": {"kind": "explicit", "num_steps": 240, "visits": [{"task": 0}, {"task": 1}]},
}


@pytest.fixture
def settings(request, tmp_path) -> WorkerSettings:
    url = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return WorkerSettings(database_url=url, state_dir=tmp_path, data_dir=None, resume_seconds=86400)


@pytest.fixture
def database(settings):
    database = Database(settings.database_url)
    yield database
    database.close()


def begin(database, spec) -> str:
    with database.write() as work:
        job_id = work.jobs.create(JOB_SPEC.validate_python(spec), owner="tests").id
        if spec.get("stream") == "open":
            for task in REVISITS:
                work.switches.append(job_id, action="revisit", task_index=task, origin="api")
    return job_id


def go_on(database, settings, job_id):
    with database.write() as work:
        fence = work.leases.claim(job_id, worker_id="worker-1", ttl_seconds=60)
    JobRunner(database, settings, fence).run()
    with database.read() as work:
        return work.jobs.get(job_id)


def let_go(database, job_id) -> None:
    """As the reaper does when a worker has died."""
    with database.write() as work:
        epoch = work.leases.get(job_id).epoch
        work.jobs.transition(job_id, JobStatus.QUEUED, reason="lease_expired", actor="tests", epoch=epoch)
        work.connection.exec_driver_sql("UPDATE leases SET worker_id = NULL")


def recorded_rows(database, job_id) -> dict[tuple[int, str], dict[int, float]]:
    with database.read() as work:
        cells = work.evaluations.of_job(job_id)
    rows: dict[tuple[int, str], dict[int, float]] = {}
    for cell in cells:
        rows.setdefault((cell.after_visit, cell.method), {})[cell.task_index] = cell.score
    return rows


def snapshot_at(database, job, visit_index, folder):
    return restore(database, job, visit_index, data_dir=None, replay_folder=folder, generation=1)


@pytest.mark.parametrize(
    ("settings", "name"), [*(("sqlite", name) for name in JOBS), ("postgresql", "ewc")], indirect=["settings"]
)
def test_every_visit_evaluates_to_its_row_and_goes_on_with_the_same_bits(database, settings, tmp_path, name):
    job = go_on(database, settings, begin(database, JOBS[name]))
    assert job.status in (JobStatus.WAITING, JobStatus.SUCCEEDED), job.error
    rows, method = recorded_rows(database, job.id), job.learning.method.kind
    with database.read() as work:
        visits = [
            Visit(index=it.visit_index, task_index=it.task_index, task=work.tasks.get(job.id, it.task_index).spec)
            for it in work.switches.visits(job.id)
        ]
        left = {it.visit_index: it.weights_sha256 for it in work.checkpoints.page(job.id).items if it.method == method}
    for visit in visits:
        stored = snapshot_at(database, job, visit.index, tmp_path / f"restored-{visit.index}")
        run = take_up_tasks(job.learning, stored)
        with pytest.raises(SpecError, match=f"visit {visit.index + 1} is not the last one"):
            next(run.evaluate(replace(visit, index=visit.index + 1)))
        events = list(run.evaluate(visit))
        run.set_constraint_weights(stored.constraint_weights)
        for later in visits[visit.index + 1 :]:
            events += [event for event in run.learn(later) if isinstance(event, Evaluated)]
            assert weights_sha256(run.weights(method)) == left[later.index]
        found = {(event.visit.index, event.method): dict(event.scores) for event in events}
        for key, scores in found.items():
            assert set(scores) >= {seen.task_index for seen in visits[: key[0] + 1]}
            assert scores == {task: rows[key][task] for task in scores}
        assert len(found) == (len(visits) - visit.index) * len(job.learning.methods)


def test_a_job_goes_on_elsewhere_between_two_visits_with_the_replays_of_its_snapshot(database, settings, monkeypatch):
    undisturbed = go_on(database, settings, begin(database, TWO_GAMES))
    elsewhere = settings.model_copy(update={"state_dir": settings.state_dir / "elsewhere"})
    assert die_after_first_visit_then_go_on(database, settings, elsewhere, monkeypatch).weights_sha256 == (
        undisturbed.weights_sha256
    )


def test_without_replays_in_its_snapshot_a_job_elsewhere_fails_and_says_why(database, settings, monkeypatch):
    none = settings.model_copy(update={"snapshot_replay_bytes": 0})
    elsewhere = none.model_copy(update={"state_dir": none.state_dir / "elsewhere"})
    job = die_after_first_visit_then_go_on(database, none, elsewhere, monkeypatch)
    assert job.status is JobStatus.FAILED
    assert "on another host" in job.error["message"]


class Died(Exception):
    """Stands for `kill -9`."""


def die_after_first_visit_then_go_on(database, settings, elsewhere, monkeypatch):
    next_visit = JobRunner._next_visit

    def die_before_the_second(self, method):
        visit = next_visit(self, method)
        if visit is not None and visit.index == 1:
            raise Died
        return visit

    job_id = begin(database, TWO_GAMES)
    monkeypatch.setattr(JobRunner, "_next_visit", die_before_the_second)
    with pytest.raises(Died):
        go_on(database, settings, job_id)
    monkeypatch.undo()
    let_go(database, job_id)
    return go_on(database, elsewhere, job_id)


def test_a_trainer_that_dies_while_it_commits_a_visit_leaves_nothing_of_it(database, settings, monkeypatch):
    undisturbed = go_on(database, settings, begin(database, JOBS["online_ewc"]))
    write = StagedSnapshot.write

    def die_in_the_second(self, work, *args, **kwargs):
        write(self, work, *args, **kwargs)
        if self.content.point.visit_index == 2:
            raise Died

    job_id = begin(database, JOBS["online_ewc"])
    monkeypatch.setattr(StagedSnapshot, "write", die_in_the_second)
    with pytest.raises(Died):
        go_on(database, settings, job_id)
    monkeypatch.undo()
    with database.read() as work:
        assert work.snapshots.visits(job_id) == [0]
        assert [it.visit_index for it in work.checkpoints.page(job_id).items] == [0]
    let_go(database, job_id)
    assert go_on(database, settings, job_id).weights_sha256 == undisturbed.weights_sha256
    with database.write() as work:
        assert work.snapshots.visits(job_id) == [0, 1, 2, 3]
        work.connection.execute(update(BlobRow).values(created_at=db_now(-3700)))
        num_collected = sum(iter(lambda: work.blobs.collect_staged(older_than_seconds=3600) or 0, 0))
    assert num_collected == 2, "the checkpoint and the one part that were staged in vain"


def test_the_constraints_of_then_stay_readable_after_a_revisit_has_replaced_them(database, settings, tmp_path):
    job = go_on(database, settings, begin(database, JOBS["ewc"]))
    then = load_subject(database, job.id, owner="tests", at_visit=1, data_dir=None)
    now = load_subject(database, job.id, owner="tests", at_visit=None, data_dir=None)
    first = snapshot_at(database, job, 0, tmp_path / "restored").constraints
    name = next(iter(first[0].anchor))
    assert torch.equal(then.constraints[0].anchor[name], first[0].anchor[name])
    assert not torch.equal(now.constraints[0].anchor[name], first[0].anchor[name])
    with database.write() as work:
        work.constraints.set_weight(job.id, task_index=0, weight=0.5)
    weights = [
        load_subject(database, job.id, owner="tests", at_visit=visit, data_dir=None).constraint_weights for visit in (1, 3)
    ]
    assert weights == [{}, {0: 0.5}]


def test_a_job_keeps_as_many_snapshots_as_the_setting_says_and_all_its_constraints(database, settings, tmp_path):
    few = settings.model_copy(update={"snapshots_per_job": 2})
    job = go_on(database, few, begin(database, JOBS["online_ewc"]))
    with pytest.raises(SpecError, match=r"no snapshot of visit 1; it has those of visits \[2, 3\]"):
        snapshot_at(database, job, 1, tmp_path)
    assert [it.task_index for it in snapshot_at(database, job, 2, tmp_path).constraints] == [0, 1]


def test_a_damaged_snapshot_is_told_as_what_a_job_cannot_go_on_from(database, settings, tmp_path):
    job = go_on(database, settings, begin(database, JOBS["online_ewc"]))
    with database.write() as work:
        parts = work.snapshots.parts(work.snapshots.latest(job.id).id)
        assert set(parts) == {"small"}
        work.connection.exec_driver_sql("UPDATE shared_chunks SET crc32 = crc32 + 1")
    with pytest.raises(ResumePointDamaged, match="after visit 3"):
        _ = snapshot_at(database, job, 3, tmp_path).point
