"""Analyses of a real network: small digits tasks, run to the end and interrupted everywhere."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch

from ewc_core.analysis.overlap import overlap
from ewc_core.analysis.perturbation import NoiseKind
from ewc_core.errors import NonFiniteError, ParameterMismatch, SpecError, StateFormatError
from ewc_core.layers import by_layer, with_whole
from ewc_core.resume import ResumePoint
from ewc_core.specs import OnlineEwcMethod
from tests.ewc_core.analysis.subjects import answered, begin, exact_fisher_of, learned_subject, open_supervised

QUESTIONS: dict[str, dict[str, Any]] = {
    "overlap": {"kind": "overlap", "num_examples": 60},
    "perturbation": {"kind": "perturbation", "sigmas": [0.01, 0.1], "num_draws": 2, "num_examples": 300},
    "capacity": {"kind": "capacity", "num_scores": 12, "num_examples": 64},
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_an_interrupted_analysis_ends_in_the_same_bits(kind: str) -> None:
    subject = learned_subject()
    whole = answered(subject, **QUESTIONS[kind])
    run = begin(subject, **QUESTIONS[kind])
    for done in run.work():
        point = ResumePoint.from_bytes(run.capture().to_bytes())
        assert run.step == done
        if done in (1, run.num_steps // 2):
            again = begin(subject, point=point, **QUESTIONS[kind])
            assert sum(1 for _ in again.work()) == run.num_steps - done
            assert again.findings() == whole
    assert run.findings() == whole
    assert run.num_steps >= 4


@pytest.mark.parametrize("kind", QUESTIONS)
def test_findings_can_be_written_as_json_and_drawn(kind: str) -> None:
    result = answered(learned_subject(), **QUESTIONS[kind])
    assert json.loads(json.dumps(result.body, allow_nan=False)) == result.body
    assert result.body["kind"] == kind
    assert result.curves
    assert all(abs(point.value) < float("inf") for point in result.curves)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_an_analysis_leaves_its_subject_as_it_was(kind: str) -> None:
    subject = learned_subject()
    before = {name: tensor.clone() for name, tensor in subject.weights.items()}
    answered(subject, **QUESTIONS[kind])
    assert all(torch.equal(subject.weights[name], tensor) for name, tensor in before.items())


def test_overlap_is_that_of_both_tasks_fishers_at_the_same_parameters() -> None:
    subject = learned_subject()
    target = open_supervised(subject)
    groups = with_whole(by_layer(subject.weights))
    num_examples = target.data(0).num_examples("train")
    fishers = [exact_fisher_of(target, task, num_examples) for task in (0, 1)]
    expected = overlap(*fishers, groups)
    body = answered(subject, kind="overlap").body
    assert [row["overlap"] for row in [*body["layers"].values(), body["overall"]]] == pytest.approx(
        list(expected.values()), rel=1e-5
    )
    assert body["num_examples"] == {"first": num_examples, "second": num_examples}


def test_two_tasks_overlap_less_than_two_halves_of_one_and_a_task_wholly_with_itself() -> None:
    for row in answered(learned_subject(), kind="overlap").body["layers"].values():
        assert 0.0 < row["chance"]["shuffled"] < min(row["ceiling"].values())
        assert row["overlap"] < min(row["ceiling"].values()) <= 1.0
        assert row["chance"]["independent_squares"] == pytest.approx(0.63662, abs=1e-5)
    same = answered(learned_subject(), kind="overlap", first_task=1, second_task=1).body
    assert same["overall"]["overlap"] == pytest.approx(1.0, abs=1e-6)


def test_halves_cover_a_tasks_examples_once() -> None:
    body = answered(learned_subject(), kind="overlap", num_examples=31).body
    assert body["num_examples"] == {"first": 31, "second": 31}


def test_noise_of_every_shape_is_measured_beside_what_the_fisher_predicts() -> None:
    body = answered(learned_subject(), kind="perturbation", task=1, sigmas=[0.001, 0.1], num_draws=6).body
    rows = {(row["noise"], row["sigma"]): row for row in body["noise"]}
    assert set(rows) == {(kind.value, sigma) for kind in NoiseKind for sigma in (0.001, 0.1)}
    assert body["score"] > 0.8
    uniform, inverse, null = (rows[kind.value, 0.1] for kind in NoiseKind)
    assert uniform["predicted_loss_increase"] > inverse["predicted_loss_increase"] > 0.0
    assert uniform["predicted_loss_increase"] > null["predicted_loss_increase"] >= 0.0
    assert uniform["mean_loss_increase"] > 10 * abs(rows["uniform", 0.001]["mean_loss_increase"])
    assert uniform["mean_loss_increase"] > inverse["mean_loss_increase"]
    assert uniform["mean_score"] <= body["score"]
    assert uniform["num_diverged"] == 0


def test_a_loss_that_is_not_finite_is_counted_and_written_as_none() -> None:
    run = begin(learned_subject(), **QUESTIONS["perturbation"])
    for _ in run.work():
        pass
    point = run.capture()
    point.tensors["losses"][0, 1, 0] = torch.inf
    rows = begin(learned_subject(), point=point, **QUESTIONS["perturbation"]).findings().body["noise"]
    assert [row["num_diverged"] for row in rows] == [0, 1, 0, 0, 0, 0]
    assert (rows[1]["mean_loss_increase"], rows[1]["standard_error"]) == (None, None)
    assert not any(None in row.values() for row in rows[2:])


def test_a_diverged_network_is_refused() -> None:
    subject = learned_subject()
    huge = dataclasses.replace(subject, weights={name: tensor * 1e30 for name, tensor in subject.weights.items()})
    with pytest.raises(NonFiniteError):
        answered(huge, kind="perturbation", sigmas=[0.1], num_draws=2)


def test_capacity_grows_with_the_constraints_in_force() -> None:
    subject = learned_subject()
    both = answered(subject, **QUESTIONS["capacity"]).body
    one = answered(dataclasses.replace(subject, constraint_weights={0: 0.0}), **QUESTIONS["capacity"]).body
    none = answered(dataclasses.replace(subject, constraint_weights={0: 0.0, 1: 0.0}), **QUESTIONS["capacity"]).body
    assert 1.0 > both["overall"]["frozen"] > one["overall"]["frozen"] > 0.0
    assert none["overall"]["frozen"] == 0.0
    assert both["tasks"] == [0, 1]
    assert list(both["layers"]) == list(by_layer(subject.weights))
    assert sum(layer["num_parameters"] for layer in both["layers"].values()) == both["overall"]["num_parameters"]
    assert all(layer["curvature"] > 0.0 for layer in both["layers"].values())


def test_a_network_under_endless_precision_is_warned_about() -> None:
    subject = learned_subject()
    ones = {name: torch.ones_like(tensor) for name, tensor in subject.weights.items()}
    frozen = [dataclasses.replace(subject.constraints[0], fisher=ones, ewc_lambda=1e6)]
    body = answered(dataclasses.replace(subject, constraints=frozen), **QUESTIONS["capacity"]).body
    assert body["overall"]["frozen"] == pytest.approx(1.0, abs=1e-4)
    assert "nearly used up: 100%" in body["warning"]
    assert answered(subject, **QUESTIONS["capacity"]).body["warning"] is None


def test_parameters_that_no_task_needs_are_never_frozen() -> None:
    """Pixels that are always 0 and units that never fire have Fisher 0, whatever the strength."""
    subject = learned_subject()
    strong = [dataclasses.replace(constraint, ewc_lambda=1e12) for constraint in subject.constraints]
    body = answered(dataclasses.replace(subject, constraints=strong), **QUESTIONS["capacity"]).body
    total = sum(constraint.fisher["layers.0.weight"] for constraint in strong)
    bias = sum(constraint.fisher["layers.0.bias"] for constraint in strong)
    assert isinstance(total, torch.Tensor)
    assert isinstance(bias, torch.Tensor)
    positive = int((total > 0).sum()) + int((bias > 0).sum())
    assert body["layers"]["layers.0"]["frozen"] == pytest.approx(positive / (total.numel() + bias.numel()), abs=1e-3)


def test_of_a_running_sum_only_the_latest_constraint_counts() -> None:
    subject = learned_subject()
    online = subject.spec.model_copy(update={"method": OnlineEwcMethod(ewc_lambda=100.0)})
    whole = answered(dataclasses.replace(subject, spec=online), **QUESTIONS["capacity"]).body
    last = answered(dataclasses.replace(subject, spec=online, constraints=subject.constraints[1:]), **QUESTIONS["capacity"]).body
    means = [[layer["mean_precision"] for layer in body["layers"].values()] for body in (whole, last)]
    assert means[0] == means[1]


def test_what_cannot_be_asked_is_refused() -> None:
    subject = learned_subject()
    for question, field in (
        ({"kind": "overlap", "second_task": 2}, "question.second_task"),
        ({"kind": "perturbation", "task": 5}, "question.task"),
    ):
        with pytest.raises(SpecError, match=r"the job has no task \d: it has tasks 0 to 1") as caught:
            begin(subject, **question)
        assert caught.value.field == field
    with pytest.raises(SpecError, match="no consolidated task"):
        begin(dataclasses.replace(subject, constraints=[]), kind="capacity")
    with pytest.raises(ParameterMismatch, match="missing"):
        begin(dataclasses.replace(subject, weights={}), kind="overlap")


def test_a_result_comes_after_the_last_unit_only() -> None:
    run = begin(learned_subject(), **QUESTIONS["capacity"])
    next(run.work())
    with pytest.raises(RuntimeError, match="3 of 4 units are left"):
        run.findings()


@pytest.mark.parametrize(
    ("step", "tensors", "message"),
    [(0, {}, "holds"), (9, None, "after unit 9; there are 4"), (1, {"sums": torch.zeros(3, 2).double()}, "holds")],
)
def test_another_state_is_refused(step: int, tensors: dict[str, torch.Tensor] | None, message: str) -> None:
    point = begin(learned_subject(), **QUESTIONS["capacity"]).capture()
    other = dataclasses.replace(point, step=step, tensors=point.tensors if tensors is None else tensors)
    with pytest.raises(StateFormatError, match=message):
        begin(learned_subject(), point=other, **QUESTIONS["capacity"])
