"""What an analysis of an agent finds in the record, on both engines."""

from __future__ import annotations

import pytest
import torch

from ewc_core.specs import AnalysisSpec, ReinforcementSpec
from ewc_core.training.stored import Subject
from store.job_states import JobStatus
from store.records import Fence
from worker.runner import JobRunner
from worker.stored_subject import load_subject

GAMES = {
    "kind": "reinforcement",
    "network": {"kind": "mlp", "hidden_sizes": [8]},
    "agent": {"preset": "small", "replay_capacity": 400, "min_history": 40, "num_envs": 4},
    "method": {"kind": "ewc", "ewc_lambda": 10.0, "fisher": {"num_minibatches": 2}},
    "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": number} for number in (1, 2)],
    "schedule": {"kind": "explicit", "num_steps": 120, "visits": [{"task": 0}, {"task": 1}, {"task": 0}]},
    "evaluation": {"num_episodes": 2, "max_steps": 20},
}
SHARED = "layers.0.weight.weight"


@pytest.fixture
def played(database, settings) -> str:
    """A job that has played its games: 0, 1, and 0 again."""
    return _run(database, settings, ReinforcementSpec.model_validate(GAMES))


def _run(database, settings, spec) -> str:
    with database.write() as work:
        job_id = work.jobs.create(spec, owner="tests").id
        fence = work.leases.claim(job_id, worker_id="worker-1", ttl_seconds=60)
    assert isinstance(fence, Fence)
    JobRunner(database, settings, fence).run()
    with database.read() as work:
        job = work.jobs.get(job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error
    return job_id


def _spec(job_id, **question) -> AnalysisSpec:
    return AnalysisSpec.model_validate({"kind": "analysis", "job_id": job_id, "question": question})


def _subject(database, job_id, *, at_visit=None) -> Subject:
    return load_subject(database, job_id, owner="tests", at_visit=at_visit, data_dir=None)


def test_an_agent_is_found_with_its_shared_weights_and_what_each_task_has_of_its_own(database, played):
    latest = _subject(database, played)
    assert sorted(constraint.task_index for constraint in latest.constraints) == [0, 1]
    assert torch.equal(latest.own(0)[SHARED], latest.weights[SHARED]), "task 0 was played last"
    assert not torch.equal(latest.own(1)[SHARED], latest.weights[SHARED])
    assert not torch.equal(latest.own(1)["layers.0.bias"], latest.own(0)["layers.0.bias"])


def test_an_agent_is_found_as_it_was_after_an_earlier_visit(database, played):
    first = _subject(database, played, at_visit=0)
    second = _subject(database, played, at_visit=1)
    assert first.own(1) is None
    assert torch.equal(second.own(1)[SHARED], second.weights[SHARED])
    assert torch.equal(second.own(0)["layers.0.bias"], first.own(0)["layers.0.bias"])
    assert not torch.equal(second.weights[SHARED], first.weights[SHARED])


@pytest.mark.parametrize(
    "question",
    [
        {"kind": "perturbation", "task": 1, "sigmas": [0.1], "num_draws": 2, "num_episodes": 2, "num_examples": 20},
        {"kind": "overlap", "num_examples": 20},
    ],
)
def test_questions_about_an_agent_are_answered_by_a_job(database, settings, played, question):
    answer = _run(database, settings, _spec(played, **question))
    with database.read() as work:
        found = work.results.get(answer)
        curves = work.metrics.series(answer, max_points=100)
    assert found is not None
    assert found.body["kind"] == question["kind"]
    assert found.body["num_examples"] == (20 if question["kind"] == "perturbation" else {"first": 20, "second": 20})
    assert curves
