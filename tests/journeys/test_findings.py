"""What a platform can find out and change: the association experiment, analyses of a learned job, forgetting on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ewc_client import EWCClient, Job
from tests.journeys.service import Service

DIGITS = {
    "network": {"hidden_sizes": [16]},
    "training": {"num_epochs": 3, "batch_size": 32},
    "method": {"kind": "ewc", "ewc_lambda": 1000.0},
    "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
}
ASSOCIATION = {
    "kind": "association",
    "num_synapses": 50,
    "num_patterns": 200,
    "num_repeats": 20,
    "rules": [{"kind": "gd"}, {"kind": "ewc"}],
}


@pytest.fixture
def service(stack, tmp_path):
    with Service(stack.environment, tmp_path) as service:
        yield service


@pytest.fixture
def client(service):
    with EWCClient(service.url, service.key) as client:
        yield client


@pytest.mark.by_day("embedded")
def test_forgetting_on_purpose_questions_and_the_association_experiment(service, client):
    """One service for the whole story: starting trainers is what takes long."""
    patterns = client.jobs.create(ASSOCIATION)
    job = client.jobs.create({**DIGITS, "tasks": DIGITS["tasks"][:1], "stream": "open"})
    service.wait_for_status(job.id, "waiting")
    assert client.jobs.forget(job.id, 0).weight == 0.0
    job.switch("append", task=DIGITS["tasks"][1])
    job.switch("revisit", task_index=0)
    job.close()
    job = job.wait(check=True, timeout_seconds=120)
    _assert_task_0_was_forgotten_for_one_visit(job)
    asked = client.jobs.analyse(job.id, {"kind": "overlap", "num_examples": 200}).wait(check=True, timeout_seconds=120)
    _assert_overlap_stands_below_its_ceiling(asked.result().body)
    [found] = client.jobs.analyses(job.id)
    assert (found.id, found.status, found.result) == (asked.id, "succeeded", asked.result())
    _assert_simulation_agrees_with_theory(patterns.wait(check=True, timeout_seconds=120))


def _assert_task_0_was_forgotten_for_one_visit(job: Job) -> None:
    penalties = {visit: [p.value for p in job.metrics(name="penalty") if p.visit_index == visit] for visit in range(3)}
    assert penalties[1]
    assert set(penalties[1]) == {0.0}, "the forgotten task still holds the network"
    assert max(penalties[2]) > 0.0, "task 1 was not forgotten"
    assert [task.weight for task in job.tasks()] == [1.0, 1.0], "consolidated again, task 0 counts again"
    assert "constraint.reweighted" in [event.type for event in job.past_events()]


def _assert_overlap_stands_below_its_ceiling(body: Mapping[str, Any]) -> None:
    assert all(0.0 < row["overlap"] < 1.0 for row in body["layers"].values())
    assert body["overall"]["overlap"] < min(body["overall"]["ceiling"].values())


def _assert_simulation_agrees_with_theory(job: Job) -> None:
    result = job.result()
    assert result.kind == "association"
    rules = result.body["rules"]
    assert list(rules) == ["gd", "ewc"]
    assert rules["ewc"]["fraction_retained_at_capacity"] > rules["gd"]["fraction_retained_at_capacity"]
    checks = [check["num_standard_errors"] for rule in rules.values() for check in rule["first_pattern_snr_checks"]]
    assert checks
    assert all(check < 6.0 for check in checks), "the simulation is not what the theory says"
    curves = job.metrics()
    assert {("gd", "first_pattern_snr"), ("ewc", "fraction_retained_theory")} <= {(one.method, one.name) for one in curves}
    assert {one.visit_index for one in curves} == {0}
    assert job.progress.step == job.progress.num_steps
