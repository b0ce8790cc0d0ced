"""Analyses of a real agent: two small games of Catch, asked to the end and interrupted everywhere."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

import pytest
import torch

from ewc_core.analysis.overlap import overlap
from ewc_core.errors import ParameterMismatch, SpecError
from ewc_core.reinforcement.target import GameTarget
from ewc_core.specs.environments import GymnasiumTask
from tests.ewc_core.analysis.games import SPEC, learned_games
from tests.ewc_core.analysis.subjects import answered, begin

QUESTIONS: dict[str, dict[str, Any]] = {
    "overlap": {"kind": "overlap", "num_examples": 60},
    "perturbation": {"kind": "perturbation", "sigmas": [0.01, 0.1], "num_draws": 2, "num_episodes": 2, "num_examples": 60},
}
SIGMAS = [0.003, 0.12, 0.15, 0.6]


@functools.cache
def _perturbed() -> dict[str, Any]:
    question = {
        "kind": "perturbation",
        "sigmas": SIGMAS,
        "num_draws": 30,
        "num_episodes": 120,
        "num_examples": 300,
        "ridge": 1e-4,
    }
    return answered(learned_games(), **question).body


def _row(noise: str, sigma: float) -> dict[str, Any]:
    [row] = [row for row in _perturbed()["noise"] if (row["noise"], row["sigma"]) == (noise, sigma)]
    return row


@pytest.mark.parametrize("kind", QUESTIONS)
def test_an_interrupted_analysis_of_an_agent_ends_in_the_same_bits(kind: str) -> None:
    subject = learned_games()
    whole = answered(subject, **QUESTIONS[kind])
    run = begin(subject, **QUESTIONS[kind])
    for done in run.work():
        if done in (1, run.num_steps // 2, run.num_steps - 1):
            again = begin(subject, point=run.capture(), **QUESTIONS[kind])
            assert sum(1 for _ in again.work()) == run.num_steps - done
            assert again.findings() == whole
    assert run.findings() == whole
    assert run.num_steps >= 4


@pytest.mark.parametrize("kind", QUESTIONS)
def test_findings_about_games_can_be_written_as_json_and_drawn(kind: str) -> None:
    subject = learned_games()
    before = {name: tensor.clone() for name, tensor in subject.weights.items()}
    result = answered(subject, **QUESTIONS[kind])
    assert json.loads(json.dumps(result.body, allow_nan=False)) == result.body
    assert result.body["kind"] == kind
    assert result.curves
    assert all(torch.equal(subject.weights[name], tensor) for name, tensor in before.items())


def test_small_uniform_noise_changes_q_values_as_much_as_the_fisher_predicts() -> None:
    row = _row("uniform", 0.003)
    assert abs(row["mean_loss_increase"] - row["predicted_loss_increase"]) < 4 * row["standard_error"]
    assert row["standard_error"] < 0.2 * row["predicted_loss_increase"]


def test_uniform_noise_costs_most_where_noise_shaped_by_the_inverse_fisher_is_borne() -> None:
    body = _perturbed()
    assert body["return"] == pytest.approx(1.0, abs=0.1)
    for sigma in (0.12, 0.15):
        uniform, inverse, null = (_row(noise, sigma) for noise in ("uniform", "inverse", "null"))
        assert uniform["mean_return"] + 2 * uniform["return_standard_error"] < inverse["mean_return"]
        assert uniform["mean_return"] + 2 * uniform["return_standard_error"] < null["mean_return"]
        assert uniform["mean_loss_increase"] > inverse["mean_loss_increase"] > inverse["predicted_loss_increase"]


def test_the_null_space_is_not_free() -> None:
    row = _row("null", 0.6)
    assert row["mean_return"] + 3 * row["return_standard_error"] < _perturbed()["return"] - 0.5
    assert row["mean_loss_increase"] > 10 * row["predicted_loss_increase"] > 0.0
    null = _perturbed()["null_space"]
    assert (null["quantile"], null["share"]) == (0.5, pytest.approx(0.5, abs=0.01))
    assert null["cut"] > 0.0


def test_scores_stand_beside_returns_on_the_scale_of_the_reference() -> None:
    body = _perturbed()
    assert body["score"] == pytest.approx((body["return"] + 0.6) / 1.6)
    row = _row("uniform", 0.6)
    assert row["mean_score"] == pytest.approx((row["mean_return"] + 0.6) / 1.6)
    unknown = GymnasiumTask(kind="gymnasium", id="ewc/Catch-v0", permutation=1, max_episode_steps=9)
    bare = answered(dataclasses.replace(learned_games(), tasks=[unknown]), **QUESTIONS["perturbation"]).body
    assert (bare["score"], bare["noise"][0]["mean_score"]) == (None, None)
    assert isinstance(bare["noise"][0]["mean_return"], float)


def test_two_games_overlap_less_than_two_halves_of_one_and_a_game_wholly_with_itself() -> None:
    body = answered(learned_games(), kind="overlap", num_examples=300).body
    assert list(body["layers"]) == ["layers.0", "layers.1", "layers.2"]
    for row in body["layers"].values():
        assert 0.0 < row["chance"]["shuffled"] < min(row["ceiling"].values()) <= 1.0
        assert row["overlap"] < min(row["ceiling"].values())
    assert body["layers"]["layers.0"]["overlap"] < body["layers"]["layers.2"]["overlap"], "permuted pixels share the least"
    assert body["num_examples"] == {"first": 300, "second": 300}
    same = answered(learned_games(), kind="overlap", first_task=1, second_task=1).body
    assert same["overall"]["overlap"] == pytest.approx(1.0, abs=1e-6)


def test_stored_constraints_overlap_as_they_are() -> None:
    subject = learned_games()
    fishers = {constraint.task_index: constraint.fisher for constraint in subject.constraints}
    expected = overlap(fishers[0], fishers[1], {"layers.1": ["layers.1.weight.weight"]})
    stored = answered(subject, **QUESTIONS["overlap"]).body["stored"]
    assert stored["layers"]["layers.1"]["overlap"] == expected["layers.1"]
    assert stored["layers"]["layers.1"]["ceiling"] == {}
    one = answered(dataclasses.replace(subject, constraints=subject.constraints[:1]), **QUESTIONS["overlap"])
    assert one.body["stored"] is None
    assert not [point for point in one.curves if point.method.startswith("stored")]


def test_a_game_is_played_with_the_shared_weights_of_now_and_biases_and_gains_of_its_own() -> None:
    subject = learned_games()
    own = subject.own(0)
    assert own is not None
    target = GameTarget(SPEC, dataclasses.replace(subject, own={0: own}.get))
    target.select(0, field="")
    for name, tensor in target.parameters.named().items():
        assert torch.equal(tensor, subject.weights[name] if name.endswith(".weight.weight") else own[name])
    target.select(1, field="")
    never_played = target.parameters.named()
    assert float(never_played["layers.0.bias"].abs().max()) == 0.0
    assert torch.equal(never_played["layers.0.gain"], torch.ones(48))
    assert torch.equal(never_played["layers.1.weight.weight"], subject.weights["layers.1.weight.weight"])


def test_what_cannot_be_asked_about_games_is_refused() -> None:
    subject = learned_games()
    for question, field in (
        ({"kind": "overlap", "second_task": 2}, "question.second_task"),
        ({"kind": "perturbation", "task": 5}, "question.task"),
    ):
        with pytest.raises(SpecError, match=r"the job has no task \d: it has tasks 0 to 1") as caught:
            begin(subject, **question)
        assert caught.value.field == field
    with pytest.raises(SpecError, match="supervised jobs only"):
        begin(subject, kind="capacity")
    with pytest.raises(ParameterMismatch, match="missing"):
        begin(dataclasses.replace(subject, weights={}), kind="overlap")
