"""A platform searches for λ: submit, watch it on real workers, kill one on the way, take the best setting to the test data."""

from __future__ import annotations

import time

import pytest

from ewc_client import EWCClient
from ewc_core.specs import SweepSpec
from ewc_core.sweep.run import TrialFinished, run_sweep
from tests.chaos.fleet import Worker
from tests.journeys.service import Service

SWEEP = {
    "name": "λ of two tasks",
    "job": {
        "network": {"hidden_sizes": [16]},
        "training": {"batch_size": 64, "num_epochs": 1, "num_validation_examples": 137},
        "method": {"kind": "ewc", "ewc_lambda": 1.0},
        "controls": ["naive"],
        "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
    },
    "search": {"method.ewc_lambda": {"low": 1.0, "high": 1e5, "log": True}},
    "sampler": "random",
    "num_trials": 3,
    "max_parallel": 2,
}


@pytest.fixture
def service(stack, tmp_path):
    with Service(stack.environment, tmp_path) as service:
        yield service


@pytest.fixture
def client(service):
    with EWCClient(service.url, service.key) as client:
        yield client


@pytest.mark.by_day("servers")
def test_a_search_for_lambda_survives_its_worker_and_ends_with_a_job_that_is_ready_to_submit(service, client, tmp_path):
    sweep = client.sweeps.create(SWEEP)
    _wait(lambda: sweep.refresh().trials, "the first trials")
    service.worker.close()  # kill -9 to all of it
    service.worker = Worker(service.environment, tmp_path / "worker.log")
    sweep = sweep.wait(timeout_seconds=240, poll_seconds=0.2)
    assert (sweep.status, [trial.status for trial in sweep.trials]) == ("succeeded", ["completed"] * 3), sweep.error
    alone = [event.trial for event in run_sweep(SweepSpec.model_validate(sweep.spec)) if isinstance(event, TrialFinished)]
    assert [(trial.parameters, trial.score) for trial in sweep.trials] == [(trial.parameters, trial.score) for trial in alone]
    jobs = list(client.jobs.list())
    assert {job.spec["metadata"]["trial"]: (job.id, job.status) for job in jobs} == {
        str(trial.number): (trial.job_id, "succeeded") for trial in sweep.trials
    }
    assert all(list(job.matrix().methods) == ["ewc"] for job in jobs)
    assert sweep.best.score == max(trial.score for trial in sweep.trials)
    final = client.jobs.create(sweep.best_job_spec).spec
    assert (final["method"]["ewc_lambda"], final["controls"]) == (sweep.best.parameters["method.ewc_lambda"], ["naive"])
    assert final["training"]["evaluate_on"] == "test"


def _wait(condition, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
