"""A run that was interrupted anywhere ends with the same bits as one that was not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ewc_core.consolidation import weights_sha256
from ewc_core.errors import ParameterMismatch, StateFormatError
from ewc_core.events import Consolidated, Evaluated, Event, FisherProgress, StepLogged, Stepped, VisitFinished, ZeroShot
from ewc_core.resume import ResumePoint
from tests.ewc_core.supervised.jobs import A_B_A, STEPS_PER_VISIT, Interrupted, begin, digests, job, learn_all, restored, visit_of

OPTIMISERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimiser": "sgd", "learning_rate": 0.1},
    "momentum": {"optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "adam": {"optimiser": "adam", "learning_rate": 0.01},
    "rmsprop": {"optimiser": "rmsprop", "learning_rate": 0.005},
}
NEIGHBOURS: dict[str, dict[str, Any]] = {
    "ewc latest": {"kind": "ewc", "ewc_lambda": 50.0, "constraints": "latest", "precision_floor": 0.01},
    "online_ewc": {"kind": "online_ewc", "ewc_lambda": 50.0, "fisher_decay": 0.5, "fisher_estimator": "sampled"},
    "si": {"kind": "si", "strength": 1.0},
    "si explicit": {"kind": "si", "strength": 1.0, "penalty_step": "explicit"},
    "mas": {"kind": "mas", "strength": 1.0, "num_examples": 100},
}
METHODS: dict[str, dict[str, Any]] = {
    "ewc proximal": {"kind": "ewc", "ewc_lambda": 50.0, "penalty_step": "proximal"},
    "ewc explicit": {"kind": "ewc", "ewc_lambda": 1.0, "penalty_step": "explicit"},
    "l2 proximal": {"kind": "l2", "ewc_lambda": 0.1, "penalty_step": "proximal"},
    "l2 explicit": {"kind": "l2", "ewc_lambda": 0.1, "penalty_step": "explicit"},
    "naive": {"kind": "naive"},
    "joint": {"kind": "joint"},
}
V = STEPS_PER_VISIT
INTERRUPTIONS = {
    "first visit": {1},
    "last step of a visit": {V},
    "second visit": {V + 3},
    "revisit": {2 * V + 5},
    "every third step": set(range(1, 3 * V + 1, 3)),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("method", METHODS)
def test_interrupted_runs_end_with_the_same_bits(method: str, optimiser: str) -> None:
    spec = job(METHODS[method], training={**OPTIMISERS[optimiser], "batch_size": 200})
    uninterrupted, _ = learn_all(spec)
    for at_steps in INTERRUPTIONS.values():
        interrupted = Interrupted(spec, A_B_A, at_steps)
        assert interrupted.num_restores == len(at_steps)
        assert digests(interrupted.run) == digests(uninterrupted)


@pytest.mark.parametrize("method", NEIGHBOURS)
def test_interrupted_runs_of_the_neighbours_end_with_the_same_bits(method: str) -> None:
    spec = job(NEIGHBOURS[method], training={**OPTIMISERS["adam"], "batch_size": 200}, controls=[])
    interrupted = Interrupted(spec, A_B_A, INTERRUPTIONS["every third step"])
    assert digests(interrupted.run) == digests(learn_all(spec)[0])


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_interrupted_runs_with_a_falling_learning_rate_end_with_the_same_bits(optimiser: str) -> None:
    training = {**OPTIMISERS[optimiser], "batch_size": 400, "num_epochs": 3, "schedule": "linear"}
    spec = job(METHODS["ewc proximal"], training=training, controls=[])
    interrupted = Interrupted(spec, (0, 1), {3, 15, 16, 19, 20})
    assert digests(interrupted.run) == digests(learn_all(spec, (0, 1))[0])


@pytest.mark.parametrize("evaluate_every", [None, 3])
def test_dropout_with_early_stopping_ends_with_the_same_bits(evaluate_every: int | None) -> None:
    training = {"optimiser": "adam", "learning_rate": 0.03, "batch_size": 400, "num_epochs": 12, "num_validation_examples": 400}
    spec = job({"kind": "dropout", "patience": 2}, training={**training, "evaluate_every": evaluate_every})
    uninterrupted, events = learn_all(spec)
    lengths = [event.num_steps for event in events if isinstance(event, VisitFinished)]
    assert min(lengths) < 36
    for at_steps in ({1}, {lengths[0]}, {lengths[0] + 4}, set(range(1, sum(lengths), 3))):
        assert digests(Interrupted(spec, A_B_A, at_steps).run) == digests(uninterrupted)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_long_visits_resume_between_two_refreshes_of_the_proximal_weight(optimiser: str) -> None:
    spec = job(METHODS["ewc proximal"], training={**OPTIMISERS[optimiser], "batch_size": 50})
    expected, steps_per_visit = digests(learn_all(spec, [0, 1])[0]), 29
    for step in (17, 19, 24, 28):
        assert digests(Interrupted(spec, [0, 1], {steps_per_visit + step}).run) == expected


def test_a_resumed_run_reports_the_same_numbers() -> None:
    spec = job()
    _, expected = learn_all(spec)
    for at_steps in INTERRUPTIONS.values():
        assert _numbers(Interrupted(spec, A_B_A, at_steps).events) == _numbers(expected)


def test_at_a_boundary_the_point_names_the_next_visit_and_holds_no_optimiser_state() -> None:
    spec = job()
    run = begin(spec)
    constraints = [event.constraint for event in run.learn(visit_of(spec, 0, 0)) if isinstance(event, Consolidated)]
    point = run.capture()
    assert (point.visit_index, point.step) == (1, 0)
    parameters = {"ewc.parameters", "naive.parameters", "joint.parameters"}
    assert set(point.tensors) == {"visited_tasks", "latest_task", "constraint_weights", *parameters}
    for num_tasks in (1, 2):  # with and without the task that is visited next
        read = ResumePoint.from_bytes(point.to_bytes())
        again = restored(spec, read, spec.tasks[:num_tasks], constraints=constraints)
        events = list(again.learn(visit_of(spec, 1, 1)))
        assert sum(isinstance(event, ZeroShot) for event in events) == 3
        assert digests(again) == digests(learn_all(spec, [0, 1])[0])


def test_capturing_changes_nothing_and_is_repeatable() -> None:
    spec = job()
    run = begin(spec)
    for event in run.learn(visit_of(spec, 0, 0)):
        if isinstance(event, Stepped):
            assert run.capture().to_bytes() == run.capture().to_bytes()
            assert run.capture().step == event.step
    assert digests(run) == digests(learn_all(spec, [0])[0])


def test_a_captured_point_does_not_move_with_the_run() -> None:
    spec = job()
    run = begin(spec)
    events = run.learn(visit_of(spec, 0, 0))
    _until_step(events, 3)
    point = run.capture()
    before = point.to_bytes()
    _until_step(events, 6)
    assert point.to_bytes() == before


def test_a_live_point_has_the_same_bytes_and_is_no_copy() -> None:
    spec = job()
    run = begin(spec)
    _until_step(run.learn(visit_of(spec, 0, 0)), 3)
    live = run.capture(live=True)
    assert live.to_bytes() == run.capture().to_bytes()
    own = run.weights("ewc", live=True)["layers.0.weight"]
    assert live.tensors["ewc.parameters"].untyped_storage().data_ptr() == own.untyped_storage().data_ptr()


def test_a_point_kept_while_a_fisher_is_estimated_goes_on_to_the_same_bits() -> None:
    """No step follows there in its visit, so the optimiser of the point is one that has made none."""
    spec = job()
    run = begin(spec)
    next(event for event in run.learn(visit_of(spec, 0, 0)) if isinstance(event, FisherProgress))
    again = restored(spec, ResumePoint.from_bytes(run.capture(live=True).to_bytes()), spec.tasks[:1])
    list(again.learn(visit_of(spec, 0, 0)))
    assert digests(again) == digests(learn_all(spec, [0])[0])


def test_a_restored_run_captures_the_point_that_it_was_made_of() -> None:
    spec = job()
    run = begin(spec)
    _until_step(run.learn(visit_of(spec, 0, 0)), 3)
    point = run.capture()
    again = restored(spec, point, spec.tasks[:1])
    assert again.capture().to_bytes() == point.to_bytes()


def test_a_cut_visit_resumes_to_the_same_end() -> None:
    spec = job()
    run, expected = begin(spec), begin(spec)
    list(expected.learn(visit_of(spec, 0, 0, max_steps=5)))
    _until_step(run.learn(visit_of(spec, 0, 0)), 5)
    again = restored(spec, run.capture(), spec.tasks[:1])
    list(again.learn(visit_of(spec, 0, 0, max_steps=5)))
    assert digests(again) == digests(expected)


_CHILD = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from ewc_core.consolidation import Constraint, weights_sha256
from ewc_core.events import Visit
from ewc_core.resume import ResumePoint
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import SupervisedProblem
from ewc_core.training.visits import VisitRun
folder = Path(sys.argv[1])
spec = SupervisedSpec.model_validate_json((folder / "spec").read_bytes())
point = ResumePoint.from_bytes((folder / "point").read_bytes())
constraints = [Constraint.from_bytes((folder / "constraint").read_bytes())]
problem = SupervisedProblem(spec, data_dir=None, digests=point.digests, constraints=constraints)
run = VisitRun.restore(problem, point, tasks=spec.tasks, visiting=1)
list(run.learn(Visit(index=1, task_index=1, task=spec.tasks[1])))
list(run.learn(Visit(index=2, task_index=0, task=spec.tasks[0])))
print(weights_sha256(run.weights("ewc")))
"""


def test_a_fresh_process_continues_with_the_same_bits(tmp_path: Path) -> None:
    spec = job()
    run = begin(spec)
    for event in run.learn(visit_of(spec, 0, 0)):
        if isinstance(event, Consolidated):
            (tmp_path / "constraint").write_bytes(event.constraint.to_bytes())
    _until_step(run.learn(visit_of(spec, 1, 1)), 4)
    (tmp_path / "point").write_bytes(run.capture().to_bytes())
    (tmp_path / "spec").write_text(spec.model_dump_json())
    child = subprocess.run([sys.executable, "-c", _CHILD, str(tmp_path)], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == digests(learn_all(spec)[0])["ewc"]


def test_points_of_other_jobs_are_refused() -> None:
    spec = job()
    run = begin(spec)
    _until_step(run.learn(visit_of(spec, 0, 0)), 3)
    point = run.capture()

    def restore(other: Any, changed: ResumePoint = point, num_tasks: int = 1) -> None:
        restored(other, changed, spec.tasks[:num_tasks])

    with pytest.raises(ParameterMismatch, match="flat parameters"):
        restore(job(network={"hidden_sizes": [13]}))
    with pytest.raises(StateFormatError, match="which no method of"):
        restore(job(controls=["naive"]))
    with pytest.raises(StateFormatError, match="which no method of"):
        restore(job({"kind": "l2", "ewc_lambda": 1.0}))
    with pytest.raises(StateFormatError, match="optimiser state holds"):
        restore(job(training={"optimiser": "sgd", "batch_size": 200}))
    other = next(
        event.constraint for event in learn_all(job(network={"hidden_sizes": [13]}), [0])[1] if isinstance(event, Consolidated)
    )
    with pytest.raises(ParameterMismatch, match=r"'layers.0.weight' has shape \(13, 64\), expected \(12, 64\)"):
        restored(spec, point, spec.tasks[:1], constraints=[other])
    without = {name: tensor for name, tensor in point.tensors.items() if name != "visited_tasks"}
    with pytest.raises(StateFormatError, match="visited_tasks"):
        restore(spec, dataclasses.replace(point, tensors=without))
    visited = {**point.tensors, "visited_tasks": torch.tensor([4])}
    with pytest.raises(StateFormatError, match=r"visited tasks \[4\], but only 1"):
        restore(spec, dataclasses.replace(point, tensors=visited))


def _until_step(events: Any, step: int) -> None:
    next(event for event in events if isinstance(event, Stepped) and event.step == step)


def _numbers(events: list[Event]) -> list[object]:
    """Everything with numbers in it, constraints as digests; where a resume starts a visit anew is left out."""
    numbers: list[object] = []
    for event in events:
        if isinstance(event, StepLogged | Evaluated | ZeroShot | Stepped):
            numbers.append(event)
        if isinstance(event, Consolidated):
            numbers.append((event.visit, weights_sha256(event.constraint.fisher), weights_sha256(event.constraint.anchor)))
    return numbers
