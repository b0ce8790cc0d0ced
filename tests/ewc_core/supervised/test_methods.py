"""What each method makes of a stream, on digits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ewc_core.events import Consolidated, Evaluated, Event, ScoresLogged, StepLogged, VisitFinished, Warned
from ewc_core.specs import SupervisedSpec
from tests.ewc_core.supervised.jobs import begin, digests, job, learn_all, of_type, visit_of

TRAINING = {"optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.9, "batch_size": 64, "num_epochs": 6}
NETWORK = {"kind": "mlp", "hidden_sizes": [64]}
SPLIT = [{"kind": "split", "dataset": "digits", "classes": classes} for classes in ([0, 1], [2, 3], [4, 5])]


def last_scores(events: list[Event], method: str) -> dict[int, float]:
    """The last row of a method's score matrix."""
    return dict(list(of_type(events, Evaluated, lambda event: event.method == method))[-1].scores)


def mean(scores: dict[int, float]) -> float:
    """Mean over tasks."""
    return sum(scores.values()) / len(scores)


def warnings(events: list[Event]) -> list[str]:
    """Codes of the warnings, in order."""
    return [event.code for event in of_type(events, Warned)]


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "ewc", "ewc_lambda": 100.0},
        {"kind": "ewc", "ewc_lambda": 100.0, "fisher_estimator": "rademacher"},
        {"kind": "ewc", "ewc_lambda": 100.0, "constraints": "latest"},
        {"kind": "online_ewc", "ewc_lambda": 100.0},
        {"kind": "si", "strength": 3.0},
        {"kind": "mas", "strength": 10.0},
    ],
    ids=lambda method: "-".join(str(value) for value in method.values()),
)
def test_every_method_with_a_penalty_forgets_less_than_naive_training(method: dict[str, Any]) -> None:
    spec = job(method, controls=["naive"], training=TRAINING, network=NETWORK)
    _, events = learn_all(spec, [0, 1])
    kept, forgotten = last_scores(events, method["kind"])[0], last_scores(events, "naive")[0]
    assert kept > forgotten + 0.05
    assert last_scores(events, method["kind"])[1] > 0.6
    assert warnings(events) == []


def test_online_ewc_without_decay_is_the_latest_form_of_ewc() -> None:
    """Both sum the Fishers and hold the latest anchor."""
    online = learn_all(job({"kind": "online_ewc", "ewc_lambda": 30.0}, controls=[]), [0, 1])[0]
    latest = learn_all(job({"kind": "ewc", "ewc_lambda": 30.0, "constraints": "latest"}, controls=[]), [0, 1])[0]
    for name, tensor in online.weights("online_ewc").items():
        torch.testing.assert_close(tensor, latest.weights("ewc")[name], rtol=1e-5, atol=1e-6)


def test_online_constraints_hold_the_decayed_sum() -> None:
    _, events = learn_all(job({"kind": "online_ewc", "ewc_lambda": 0.0, "fisher_decay": 0.25}, controls=[]), [0, 1])
    _, plain = learn_all(job({"kind": "ewc", "ewc_lambda": 0.0}, controls=[]), [0, 1])
    running, single = ([event.constraint.fisher for event in of_type(each, Consolidated)] for each in (events, plain))
    for name in running[1]:
        torch.testing.assert_close(running[1][name], 0.25 * single[0][name] + single[1][name], rtol=1e-5, atol=1e-9)


def test_a_forgotten_constraint_ties_nothing() -> None:
    spec = job({"kind": "ewc", "ewc_lambda": 100.0}, controls=["naive"])
    run = begin(spec)
    list(run.learn(visit_of(spec, 0, 0)))
    run.set_constraint_weights({0: 0.0})
    list(run.learn(visit_of(spec, 1, 1)))
    assert digests(run)["ewc"] == digests(run)["naive"]


def test_dropout_stops_early_and_keeps_the_best_epoch() -> None:
    training = {**TRAINING, "learning_rate": 0.1, "num_epochs": 40, "num_validation_examples": 300}
    spec = job({"kind": "dropout", "patience": 2}, controls=[], training=training, network=NETWORK)
    _, events = learn_all(spec, [0])
    (finished,) = of_type(events, VisitFinished)
    assert finished.num_steps < 40 * 18
    assert finished.num_steps % 18 == 0
    assert last_scores(events, "dropout")[0] > 0.9


def test_held_out_examples_are_what_a_validation_score_is_taken_on() -> None:
    training = {**TRAINING, "num_validation_examples": 200, "evaluate_on": "validation"}
    _, events = learn_all(job(training=training), [0])
    (row,) = of_type(events, Evaluated, lambda event: event.method == "ewc")
    assert {task: cell.num_examples for task, cell in row.measured.items()} == {0: 200}
    (finished,) = of_type(events, VisitFinished)
    assert finished.num_examples_seen == 6 * 1237


def test_curves_are_taken_at_the_steps_that_were_asked_for_and_change_nothing() -> None:
    plain, _ = learn_all(job(), [0, 1])
    run, events = learn_all(job(training={"learning_rate": 0.01, "batch_size": 200, "evaluate_every": 3}), [0, 1])
    assert digests(run) == digests(plain)
    second = [event for event in of_type(events, ScoresLogged) if event.visit.index == 1]
    assert [event.step for event in second] == [3, 6, 8]
    assert all(set(event.scores) == {"ewc", "naive", "joint"} for event in second)
    assert set(second[0].scores["ewc"]) == {0, 1}
    assert second[-1].scores["ewc"] == last_scores(events, "ewc")


class TestHeads:
    """The three scenarios on one split stream."""

    @staticmethod
    def _events(kind: str, method: dict[str, Any]) -> list[Event]:
        controls = [control for control in ("naive", "joint") if control != method["kind"]]
        spec = job(method, tasks=SPLIT, heads={"kind": kind}, controls=controls, training=TRAINING, network=NETWORK)
        return learn_all(spec, [0, 1, 2])[1]

    def test_task_incremental_learning_is_easy_with_ewc(self) -> None:
        events = self._events("multi", {"kind": "ewc", "ewc_lambda": 100.0})
        assert mean(last_scores(events, "ewc")) > 0.95
        assert warnings(events) == []

    def test_domain_incremental_learning_keeps_more_with_ewc_than_without(self) -> None:
        events = self._events("shared", {"kind": "ewc", "ewc_lambda": 1000.0})
        assert mean(last_scores(events, "ewc")) > mean(last_scores(events, "naive"))

    def test_class_incremental_learning_fails_with_ewc_and_the_job_says_so(self) -> None:
        events = self._events("growing", {"kind": "ewc", "ewc_lambda": 100.0})
        scores = last_scores(events, "ewc")
        assert scores[2] > 0.9
        assert max(scores[0], scores[1]) < 0.2
        assert mean(last_scores(events, "joint")) > 0.9
        assert "class_incremental_needs_replay" in warnings(events)
        message = next(of_type(events, Warned)).message
        assert "'multi'" in message
        assert "joint" in message

    def test_outputs_of_tasks_to_come_are_not_trained(self) -> None:
        spec = job({"kind": "naive"}, tasks=SPLIT, heads={"kind": "growing"}, controls=[], network=NETWORK, training=TRAINING)
        run = begin(spec)
        before = run.weights("naive")
        list(run.learn(visit_of(spec, 0, 0)))
        last = max(name for name in before if name.endswith("weight"))
        changed = (run.weights("naive")[last] != before[last]).any(dim=1)
        assert changed.tolist() == [True, True, False, False, False, False]

    def test_the_fisher_of_a_task_is_zero_at_other_tasks_outputs(self) -> None:
        spec = job({"kind": "ewc", "ewc_lambda": 1.0}, tasks=SPLIT, heads={"kind": "multi"}, controls=[], network=NETWORK)
        _, events = learn_all(spec, [0, 1])
        constraint = list(of_type(events, Consolidated))[1].constraint
        last = max(name for name in constraint.fisher if name.endswith("weight"))
        assert (constraint.fisher[last] > 0).any(dim=1).tolist() == [False, False, True, True, False, False]

    def test_an_open_stream_gives_reserved_outputs_to_announced_tasks(self) -> None:
        spec = job(
            {"kind": "ewc", "ewc_lambda": 100.0},
            tasks=SPLIT[:1],
            heads={"kind": "multi", "num_outputs": 4},
            stream="open",
            controls=[],
        )
        announced = SupervisedSpec.model_validate({**spec.model_dump(), "tasks": SPLIT[:2]}).tasks[1]
        run = begin(spec)
        list(run.learn(visit_of(spec, 0, 0)))
        visit = visit_of(spec, 0, 0)
        events = list(run.learn(type(visit)(index=1, task_index=1, task=announced)))
        assert set(last_scores(events, "ewc")) == {0, 1}


class TestGuards:
    """Warnings when EWC cannot help."""

    def test_a_penalty_without_effect_is_reported_after_the_visit(self) -> None:
        events = learn_all(job({"kind": "ewc", "ewc_lambda": 1e-9}, controls=[]), [0, 1])[1]
        assert warnings(events) == ["penalty_without_effect"]
        assert "1e-09" in next(of_type(events, Warned)).message

    def test_a_penalty_of_zero_is_reported_as_plain_training(self) -> None:
        events = learn_all(job({"kind": "ewc", "ewc_lambda": 0.0}, controls=[]), [0, 1])[1]
        assert warnings(events) == ["penalty_without_effect"]
        assert "plain training" in next(of_type(events, Warned)).message

    def test_an_explicit_step_that_must_diverge_is_reported_before_it_does(self) -> None:
        method = {"kind": "l2", "ewc_lambda": 30.0, "penalty_step": "explicit"}
        spec = job(method, controls=[], training={"optimiser": "sgd", "learning_rate": 0.1, "batch_size": 200})
        run = begin(spec)
        list(run.learn(visit_of(spec, 0, 0)))
        events = run.learn(visit_of(spec, 1, 1))
        warned = next(event for event in events if isinstance(event, Warned))
        assert (warned.code, warned.method) == ("explicit_step_unstable", "l2")
        assert "proximal" in warned.message
        stable = {**method, "ewc_lambda": 19.0}
        spec = job(stable, controls=[], training={"optimiser": "sgd", "learning_rate": 0.1, "batch_size": 200})
        assert warnings(learn_all(spec, [0, 1])[1]) == []

    def test_a_network_that_is_nearly_frozen_is_reported_when_a_task_is_consolidated(self) -> None:
        """A linear classifier on all features of digits: a huge lambda freezes every direction that has a Fisher."""
        method = {"kind": "ewc", "ewc_lambda": 1e8, "precision_floor": 1e3}
        events = learn_all(job(method, controls=[], network={"hidden_sizes": []}), [0])[1]
        assert warnings(events) == ["capacity_nearly_used"]
        assert "frozen" in next(of_type(events, Warned)).message

    def test_a_healthy_job_gets_no_warning(self) -> None:
        events = learn_all(job({"kind": "ewc", "ewc_lambda": 100.0}), [0, 1, 0])[1]
        assert warnings(events) == []
        assert [event.step for event in of_type(events, StepLogged)]
