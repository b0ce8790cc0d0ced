"""Sweeps and their trials in the record."""

from __future__ import annotations

import pytest

from ewc_core.errors import InvalidCursor, NotFound
from ewc_core.specs import SweepSpec
from store.job_states import JobStatus
from store.sweep_records import SweepRecord
from store.unit_of_work import Database
from tests.ewc_core.sweep.specs import LAMBDA, sweep
from tests.store.conftest import OWNER, make_job

SEARCH = {"training.learning_rate": {"low": 0.1, "high": 0.2}, LAMBDA: {"kind": "choices", "values": [1, 2.5, 1e11]}}


def make_sweep(database: Database, spec: SweepSpec | None = None, *, owner: str = OWNER) -> SweepRecord:
    """A new sweep."""
    with database.write() as work:
        return work.sweeps.create(spec or sweep(), owner=owner, request_id="req_1")


def version_of(database: Database, sweep_id: str) -> int:
    """The sweep's version."""
    with database.read() as work:
        return work.sweeps.get(sweep_id).version


def test_a_new_sweep_is_running_and_keeps_its_spec(database):
    spec = sweep(SEARCH, name="λ", metadata={"team": "a"})
    made = make_sweep(database, spec)
    assert (made.spec, made.name, made.status, made.owner, made.request_id) == (spec, "λ", "running", OWNER, "req_1")
    with database.read() as work:
        assert work.sweeps.get(made.id, owner=OWNER) == made
        assert work.sweeps.running() == [made.id]
        assert work.sweeps.num_trials([made.id])[made.id] == {"running": 0, "completed": 0, "failed": 0}


def test_a_sweep_of_another_owner_or_none_is_not_found(database):
    made = make_sweep(database)
    with database.read() as work:
        for sweep_id, owner in ((made.id, "bob"), ("sweep_none", OWNER)):
            with pytest.raises(NotFound):
                work.sweeps.get(sweep_id, owner=owner)
        with pytest.raises(InvalidCursor):
            work.sweeps.page(owner="bob", limit=5, after=made.id)


def test_a_trial_keeps_its_values_and_follows_its_job_until_it_is_settled(database):
    made, job = make_sweep(database), make_job(database)
    parameters = {LAMBDA: 0.1 + 0.2, "training.optimiser": "sgd", "training.num_epochs": 3}
    with database.write() as work:
        work.sweeps.add_trial(made.id, number=0, job_id=job.id, parameters=parameters)
        assert work.sweeps.statuses_of_running_trials(made.id) == {0: JobStatus.QUEUED}
        work.sweeps.settle_trial(made.id, 0, score=1 / 3)
        assert work.sweeps.statuses_of_running_trials(made.id) == {}
        [trial] = work.sweeps.trials(made.id)
    assert (trial.parameters, trial.status, trial.score, trial.job_id) == (parameters, "completed", 1 / 3, job.id)
    assert trial.finished_at is not None


def test_whatever_a_client_can_see_changes_the_version(database):
    made, job = make_sweep(database), make_job(database)
    versions = [made.version]
    for change in (
        lambda work: work.sweeps.add_trial(made.id, number=0, job_id=job.id, parameters={}),
        lambda work: work.sweeps.settle_trial(made.id, 0, score=None),
        lambda work: work.sweeps.finish(made.id, "failed", error={"code": "no_trial_succeeded", "message": "none"}),
    ):
        with database.write() as work:
            change(work)
        versions.append(version_of(database, made.id))
    assert versions == sorted(set(versions))


def test_a_trial_is_settled_once(database):
    made, job = make_sweep(database), make_job(database)
    with database.write() as work:
        work.sweeps.add_trial(made.id, number=0, job_id=job.id, parameters={})
        work.sweeps.settle_trial(made.id, 0, score=0.5)
    with pytest.raises(NotFound), database.write() as work:
        work.sweeps.settle_trial(made.id, 0, score=0.9)
    with pytest.raises(NotFound), database.write() as work:
        work.sweeps.finish("sweep_none", "succeeded")


def test_a_cancelled_sweep_and_the_jobs_of_none_stay_as_they_are_when_a_job_is_retried(database):
    made, job = make_sweep(database), make_job(database)
    with database.write() as work:
        work.sweeps.add_trial(made.id, number=0, job_id=job.id, parameters={})
        work.sweeps.settle_trial(made.id, 0, score=None)
        cancelled = work.sweeps.finish(made.id, "cancelled")
        for job_id in (job.id, "job_of_no_sweep"):
            work.sweeps.take_up_again(job_id)
        assert work.sweeps.get(made.id) == cancelled
        assert [trial.status for trial in work.sweeps.trials(made.id)] == ["failed"]


def test_a_finished_sweep_is_not_running_and_says_why(database):
    made = make_sweep(database)
    with database.write() as work:
        ended = work.sweeps.finish(made.id, "failed", error={"code": "no_trial_succeeded", "message": "none"})
    assert (ended.status, ended.error["code"]) == ("failed", "no_trial_succeeded")
    assert ended.finished_at is not None
    with database.read() as work:
        assert work.sweeps.running() == []
