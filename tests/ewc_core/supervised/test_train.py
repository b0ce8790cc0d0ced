"""Supervised runs: what they yield, and what each method does."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from ewc_core.consolidation import Quadratic, merge, weights_sha256
from ewc_core.errors import NonFiniteError, SpecError
from ewc_core.events import (
    Consolidated,
    DataRead,
    Evaluated,
    Event,
    FisherProgress,
    StepLogged,
    Stepped,
    VisitFinished,
    VisitStarted,
    ZeroShot,
)
from ewc_core.params import ParameterLayout
from tests.ewc_core.supervised.jobs import STEPS_PER_VISIT, begin, digests, job, learn_all, of_type, visit_of


def test_the_events_of_a_visit_come_in_their_order() -> None:
    _, events = learn_all(job(), [0, 1, 0])
    first = _types(events, visit=0)
    steps = [Stepped] * (STEPS_PER_VISIT - 1) + [StepLogged, Stepped]
    tail = [FisherProgress, Consolidated, Evaluated, Evaluated, Evaluated, VisitFinished]
    assert first == [VisitStarted, DataRead, ZeroShot, ZeroShot, ZeroShot, *steps, *tail]
    revisit = _types(events, visit=2)
    assert revisit == [VisitStarted, *steps, *tail]


def _types(events: list[Event], *, visit: int) -> list[type[Event]]:
    """Types in order; however many pieces the Fisher came in, its progress counts once."""
    types = [type(event) for event in events if event.visit.index == visit]
    return [kind for before, kind in pairwise([None, *types]) if not before is kind is FisherProgress]


def test_counts_in_events_are_right() -> None:
    _, events = learn_all(job(), [0])
    assert [event.step for event in of_type(events, Stepped)] == list(range(1, STEPS_PER_VISIT + 1))
    assert events[0] == VisitStarted(visit_of(job(), 0, 0), 0, STEPS_PER_VISIT)
    assert events[-1] == VisitFinished(visit_of(job(), 0, 0), STEPS_PER_VISIT, 1437)
    progress = list(of_type(events, FisherProgress))
    assert (progress[-1].num_done, progress[-1].num_examples) == (1437, 1437)
    (row,) = of_type(events, Evaluated, lambda event: event.method == "ewc")
    assert {task: cell.num_examples for task, cell in row.measured.items()} == {0: 360}


def test_losses_are_logged_at_every_twentieth_step_and_at_the_last() -> None:
    spec = job(training={"learning_rate": 0.01, "batch_size": 30})
    _, events = learn_all(spec, [0, 1])
    logged = [event for event in of_type(events, StepLogged) if event.visit.index == 1]
    assert [event.step for event in logged] == [20, 40, 48]
    assert all(set(event.losses) == {"ewc", "naive", "joint"} for event in logged)
    assert all(event.penalties["ewc"] > 0 and event.penalties["naive"] == 0 for event in logged)


def test_zero_shot_scores_are_those_of_the_network_as_it_is_and_as_it_was_made() -> None:
    spec = job(training={"learning_rate": 0.01, "batch_size": 100, "num_epochs": 4})
    _, events = learn_all(spec, [0, 1])
    first, second = (list(of_type(events, ZeroShot, lambda event, i=i: event.visit.index == i)) for i in (0, 1))
    assert all(event.current == event.untrained for event in first)
    assert len({event.untrained for event in second}) == 1
    assert any(event.current != event.untrained for event in second)


def test_the_networks_start_alike_and_stay_alike_on_the_first_task() -> None:
    run, _ = learn_all(job(), [0])
    assert len(set(digests(run).values())) == 1


def test_ewc_forgets_less_than_naive_and_joint_forgets_least() -> None:
    spec = job(training={"learning_rate": 0.005, "batch_size": 32, "num_epochs": 5}, network={"hidden_sizes": [100]})
    _, events = learn_all(spec, [0, 1])
    last = {event.method: event.scores for event in of_type(events, Evaluated) if event.visit.index == 1}
    assert last["naive"][0] + 0.1 < last["ewc"][0]
    assert last["joint"][0] > 0.9
    assert last["ewc"][1] > 0.8


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, second, other = (digests(learn_all(job(seed=seed), [0, 1])[0]) for seed in (1, 1, 2))
    assert first == second
    assert not set(first.values()) & set(other.values())


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    learn_all(job(), [0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["ewc", "l2"])
@pytest.mark.parametrize("step", ["explicit", "proximal"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_lambda_zero_is_naive_bit_for_bit(kind: str, step: str, optimiser: str) -> None:
    training = {"optimiser": optimiser, "learning_rate": 0.01, "batch_size": 200}
    spec = job({"kind": kind, "ewc_lambda": 0.0, "penalty_step": step}, training=training)
    run, _ = learn_all(spec, [0, 1, 0])
    assert digests(run)[kind] == digests(run)["naive"]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_with_endless_lambda_what_matters_is_frozen_and_the_rest_moves(optimiser: str) -> None:
    training = {"optimiser": optimiser, "learning_rate": 0.01, "batch_size": 200}
    run, events = learn_all(job({"kind": "ewc", "ewc_lambda": 1e12}, training=training), [0, 1])
    first = next(of_type(events, Consolidated)).constraint
    after = run.weights("ewc")
    held = {name: fisher * 1e12 > 1e9 for name, fisher in first.fisher.items()}
    assert sum(int(mask.sum()) for mask in held.values()) > 100
    for name, mask in held.items():
        torch.testing.assert_close(after[name][mask], first.anchor[name][mask], rtol=1e-4, atol=1e-6)
    free = first.fisher["layers.0.weight"] == 0
    assert not torch.equal(after["layers.0.weight"][free], first.anchor["layers.0.weight"][free])


def test_the_anchor_is_the_network_at_the_end_of_the_visit() -> None:
    run, events = learn_all(job(), [0])
    (consolidated,) = of_type(events, Consolidated)
    assert weights_sha256(consolidated.constraint.anchor) == digests(run)["ewc"]
    assert consolidated.constraint.info.num_examples == 1437


def test_a_revisited_task_is_free_of_its_own_constraint_which_is_then_replaced() -> None:
    spec = job()
    run = begin(spec)
    layout: ParameterLayout | None = None
    active: Quadratic | None = None
    constraints = {}
    for index, task in enumerate([0, 1, 0]):
        for event in run.learn(visit_of(spec, index, task)):
            if isinstance(event, StepLogged) and index == 2:
                active = run._problem._learners["ewc"]._penalty
                layout = ParameterLayout(tuple(run.weights("ewc")), tuple(tuple(t.shape) for t in run.weights("ewc").values()))
            if isinstance(event, Consolidated):
                constraints[index] = event.constraint
    assert layout is not None
    assert [constraints[index].task_index for index in range(3)] == [0, 1, 0]
    expected = merge([constraints[1]], layout)
    assert active is not None
    assert expected is not None
    assert torch.equal(active.precision, expected.precision)
    assert torch.equal(active.centre, expected.centre)
    next(of_type(run.learn(visit_of(spec, 3, 1)), StepLogged))
    replaced, final = merge([constraints[2]], layout), run._problem._learners["ewc"]._penalty
    assert replaced is not None
    assert final is not None
    assert torch.equal(final.precision, replaced.precision)


def test_revisiting_the_only_task_has_no_penalty() -> None:
    spec = job()
    _, events = learn_all(spec, [0, 0])
    assert [event.penalties["ewc"] for event in of_type(events, StepLogged)] == [0.0, 0.0]


def test_l2_holds_every_parameter_alike() -> None:
    run, events = learn_all(job({"kind": "l2", "ewc_lambda": 0.5}), [0, 1])
    constraint = next(of_type(events, Consolidated)).constraint
    assert set(constraint.fisher) == set(run.weights("l2"))
    assert all(bool((fisher == 1).all()) for fisher in constraint.fisher.values())
    assert (constraint.ewc_lambda, constraint.info.estimator) == (0.5, "uniform")
    logged = list(of_type(events, StepLogged))
    assert logged[-1].penalties["l2"] > 0


@pytest.mark.parametrize("kind", ["naive", "joint"])
def test_methods_without_constraints_make_none(kind: str) -> None:
    _, events = learn_all(job({"kind": kind}), [0, 1])
    assert not list(of_type(events, Consolidated))
    assert not list(of_type(events, FisherProgress))


def test_a_control_is_the_network_that_its_method_alone_would_train() -> None:
    controls = digests(learn_all(job(), [0, 1])[0])
    for kind in ("naive", "joint"):
        assert digests(learn_all(job({"kind": kind}, controls=[]), [0, 1])[0]) == {kind: controls[kind]}


def test_a_subset_for_the_fisher_is_drawn_by_a_recorded_seed() -> None:
    spec = job({"kind": "ewc", "ewc_lambda": 1.0, "fisher_num_examples": 100})
    (first,), (again,) = (list(of_type(learn_all(spec, [0])[1], Consolidated)) for _ in range(2))
    assert first.constraint.info.num_examples == 100
    assert first.constraint.info.seed is not None
    assert first.constraint.to_bytes() == again.constraint.to_bytes()
    everything = next(of_type(learn_all(job(), [0])[1], Consolidated)).constraint
    assert everything.info.seed is None
    assert weights_sha256(everything.fisher) != weights_sha256(first.constraint.fisher)


def test_a_visit_can_be_cut_ahead_and_on_the_spot_with_the_same_result() -> None:
    spec = job()
    ahead, spot = begin(spec), begin(spec)
    planned = list(ahead.learn(visit_of(spec, 0, 0, max_steps=3)))
    sudden: list[Event] = []
    for event in spot.learn(visit_of(spec, 0, 0)):
        sudden.append(event)
        if isinstance(event, Stepped) and event.step == 3:
            spot.end_visit_now()
    assert digests(ahead) == digests(spot)
    for events in (planned, sudden):
        finished = events[-1]
        assert isinstance(finished, VisitFinished)
        assert (finished.num_steps, finished.num_examples_seen) == (3, 600)
    list(ahead.learn(visit_of(spec, 1, 1)))
    list(spot.learn(visit_of(spec, 1, 1)))
    assert digests(ahead) == digests(spot)


def test_visits_out_of_turn_and_changed_tasks_are_refused() -> None:
    spec = job()
    run = begin(spec)
    with pytest.raises(SpecError, match="visit 1 cannot be learned now: visit 0 is due"):
        next(run.learn(visit_of(spec, 1, 0)))
    list(run.learn(visit_of(spec, 0, 0)))
    changed = visit_of(spec, 1, 1)
    with pytest.raises(SpecError, match="task 0 is 'digits-permutation-0', got 'digits-permutation-1'"):
        next(run.learn(type(changed)(index=1, task_index=0, task=changed.task)))


def test_divergence_names_method_visit_step_and_remedy() -> None:
    spec = job(
        {"kind": "ewc", "ewc_lambda": 1e12, "penalty_step": "explicit"},
        training={"optimiser": "sgd", "learning_rate": 1.0, "batch_size": 200, "num_epochs": 5},
    )
    with pytest.raises(NonFiniteError, match=r"method 'ewc', visit 1 .*step \d+.*'proximal'"):
        learn_all(spec, [0, 1])
