"""What is tried next follows from the record alone, and nothing is tried twice."""

from __future__ import annotations

import logging
import math
import subprocess
import sys

import pytest

from ewc_core.specs import SweepSpec
from ewc_core.sweep.proposer import propose
from ewc_core.sweep.trials import Trial, best
from tests.ewc_core.sweep.specs import LAMBDA, choices, sweep

THREE_WAYS = {
    "training.learning_rate": {"kind": "float", "low": 1e-4, "high": 1.0, "log": True},
    "network.hidden_sizes.0": {"kind": "int", "low": 4, "high": 64},
    "training.optimiser": choices("sgd", "adam"),
}


def run_through(spec: SweepSpec, score=lambda parameters: 0.0) -> list[Trial]:
    """Trial after trial until nothing is left."""
    trials: list[Trial] = []
    while (setting := propose(spec, trials, ())) is not None:
        trials.append(Trial(len(trials), setting, score(setting)))
    return trials


def distance_from_300(parameters) -> float:
    """A score with its peak at λ = 300, in orders of magnitude."""
    return -abs(math.log10(parameters[LAMBDA] / 300))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_record_gives_the_same_proposal(sampler):
    spec = sweep(THREE_WAYS, sampler=sampler, num_trials=14)
    trials = run_through(spec, lambda parameters: parameters["training.learning_rate"])
    assert run_through(spec, lambda parameters: parameters["training.learning_rate"]) == trials
    pending = trials[12:]
    assert propose(spec, trials[:12][::-1], pending) == propose(spec, trials[:12], pending[::-1])


def test_the_order_in_which_a_database_keeps_the_fields_does_not_matter():
    turned = dict(reversed(THREE_WAYS.items()))
    for sampler in ("tpe", "random"):
        assert propose(sweep(THREE_WAYS, sampler=sampler), (), ()) == propose(sweep(turned, sampler=sampler), (), ())
    grid = {LAMBDA: choices(1, 2), "training.learning_rate": choices(0.1, 0.2)}
    one, other = (sweep(search, sampler="grid") for search in (grid, dict(reversed(grid.items()))))
    assert [trial.parameters for trial in run_through(one)] == [trial.parameters for trial in run_through(other)]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_another_seed_or_another_number_gives_another_proposal(sampler):
    first = propose(sweep(sampler=sampler), (), ())
    assert propose(sweep(sampler=sampler, seed=1), (), ()) != first
    assert propose(sweep(sampler=sampler), [Trial(0, first, 0.5)], ()) != first


def test_values_are_of_the_kinds_and_within_the_ranges_that_were_asked_for():
    trials = run_through(sweep(THREE_WAYS, sampler="random", num_trials=30))
    assert len(trials) == 30
    for trial in trials:
        rate, width, optimiser = (trial.parameters[name] for name in THREE_WAYS)
        assert isinstance(rate, float)
        assert 1e-4 <= rate <= 1.0
        assert isinstance(width, int)
        assert 4 <= width <= 64
        assert optimiser in ("sgd", "adam")


def test_a_grid_is_every_combination_once():
    spec = sweep({LAMBDA: choices(1, 10, 100), "training.optimiser": choices("sgd", "adam")}, sampler="grid", num_trials=6)
    tried = [tuple(trial.parameters.values()) for trial in run_through(spec)]
    assert sorted(tried) == sorted((value, name) for value in (1, 10, 100) for name in ("sgd", "adam"))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_over_few_settings_ends_when_each_was_tried_once(sampler):
    spec = sweep(
        {LAMBDA: choices(1, True + 1, 3), "training.batch_size": {"kind": "int", "low": 100, "high": 103}}, sampler=sampler
    )
    tried = [tuple(sorted(trial.parameters.items())) for trial in run_through(spec)]
    assert len(tried) == len(set(tried)) == 12


def test_a_trial_that_failed_or_is_being_trained_is_not_tried_again():
    spec = sweep({LAMBDA: choices(1, 2, 3)})
    pending = [Trial(0, {LAMBDA: 1})]
    failed = [Trial(1, {LAMBDA: 3}, None)]
    assert propose(spec, failed, pending) == {LAMBDA: 2}
    assert propose(spec, [*failed, Trial(2, {LAMBDA: 2}, 0.5)], pending) is None


def test_no_more_than_the_planned_trials_are_proposed():
    assert len(run_through(sweep(num_trials=3))) == 3
    assert propose(sweep(num_trials=3), (), [Trial(2, {LAMBDA: 7.0})]) is None


def test_tpe_gathers_around_the_best_value_and_random_does_not():
    near = {"tpe": 0, "random": 0}
    for seed in range(3):
        for sampler in near:
            trials = run_through(sweep(sampler=sampler, num_trials=30, seed=seed), distance_from_300)
            near[sampler] += sum(trial.score > -0.2 for trial in trials[15:])
    assert near["tpe"] >= 2 * max(near["random"], 1), near


def test_trials_at_the_same_time_do_not_crowd_together():
    spec = sweep(num_trials=60)
    finished = [trial for trial in run_through(spec, distance_from_300) if trial.number < 40]
    pending: list[Trial] = []
    for number in range(40, 46):
        setting = propose(spec, finished, pending)
        assert setting is not None
        pending.append(Trial(number, setting))
    assert len({round(math.log10(trial.parameters[LAMBDA]), 2) for trial in pending}) == len(pending)


def test_the_best_is_the_highest_score_and_of_equals_the_first():
    trials = [Trial(0, {}, None), Trial(2, {}, 0.9), Trial(1, {}, 0.9), Trial(3, {}, 0.5)]
    assert best(trials) == trials[2]
    assert best(trials[:1]) is None


def test_proposing_loads_no_torch_and_says_nothing():
    program = (
        "import sys\n"
        "from ewc_core.sweep.proposer import propose\n"
        "from tests.ewc_core.sweep.specs import sweep\n"
        "assert 'optuna' not in sys.modules\n"
        "propose(sweep(), (), ())\n"
        "assert 'optuna' in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_level_of_the_loggers_is_left_as_it_was():
    optuna = pytest.importorskip("optuna")
    before = optuna.logging.get_verbosity(), logging.getLogger().level
    propose(sweep(), (), ())
    assert (optuna.logging.get_verbosity(), logging.getLogger().level) == before
