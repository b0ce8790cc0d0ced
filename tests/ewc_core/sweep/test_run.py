"""A sweep in one process: what it yields, how it goes on, and that the test set stays unseen."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from ewc_core.data import TaskData
from ewc_core.errors import DataChanged, DatasetUnavailable
from ewc_core.events import Evaluated
from ewc_core.specs import SweepSpec
from ewc_core.supervised import run
from ewc_core.sweep.run import SweepFinished, TrialFinished, TrialStarted, run_sweep, validation_score
from ewc_core.sweep.trials import Trial
from tests.ewc_core.sweep.specs import JOB, LAMBDA, choices, sweep

FEW = {LAMBDA: choices(0.0, 100.0, 1e4)}
DIVERGING = {"kind": "ewc", "ewc_lambda": 1e9, "penalty_step": "explicit"}


def finished_trials(spec: SweepSpec, **options: Any) -> list[Trial]:
    """The trials of a whole sweep."""
    return [event.trial for event in run_sweep(spec, **options) if isinstance(event, TrialFinished)]


def test_every_trial_is_trained_and_the_best_one_becomes_a_job_with_controls_on_test_data():
    events = list(run_sweep(sweep(FEW, sampler="grid", num_trials=3, job={"controls": ["naive"]})))
    assert [type(event) for event in events] == [TrialStarted, TrialFinished] * 3 + [SweepFinished]
    scores = {event.trial.parameters[LAMBDA]: event.trial.score for event in events if isinstance(event, TrialFinished)}
    last = events[-1]
    assert list(scores) == [0.0, 100.0, 1e4]
    assert last.best.parameters[LAMBDA] == max(scores, key=scores.get)
    assert last.final_job.method.ewc_lambda == last.best.parameters[LAMBDA]
    assert (last.final_job.controls, last.final_job.training.evaluate_on) == (["naive"], "test")


def test_a_score_is_the_mean_over_all_tasks_after_the_last_visit_on_the_examples_held_out():
    job = sweep().trial_job({LAMBDA: 100.0})
    rows = [event for event in run(job) if isinstance(event, Evaluated)]
    assert validation_score(job) == fmean(rows[-1].scores.values())
    assert set(rows[-1].scores) == {0, 1}
    assert {cell.num_examples for cell in rows[-1].measured.values()} == {137}


def test_the_test_set_is_never_read(monkeypatch: pytest.MonkeyPatch):
    splits: set[str] = set()
    for name in ("read", "read_range"):
        monkeypatch.setattr(TaskData, name, _noting(getattr(TaskData, name), splits))
    job = {"training": {**JOB["training"], "evaluate_on": "test", "evaluate_every": 2}, "controls": ["naive", "joint"]}
    finished_trials(sweep({LAMBDA: choices(100.0)}, job=job))
    assert splits == {"train", "validation"}


def test_another_test_set_changes_no_score(tmp_path: Path):
    scores = []
    for name in ("one", "other"):
        numbers = np.random.default_rng(5)
        arrays = {"train_inputs": numbers.random((300, 4), np.float32), "train_targets": numbers.integers(0, 2, 300)}
        rest = np.random.default_rng(len(name))
        arrays |= {"test_inputs": rest.random((50, 4), np.float32), "test_targets": rest.integers(0, 2, 50)}
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "numbers.npz", **arrays)
        tasks = [{"kind": "plain", "dataset": {"kind": "arrays", "path": "numbers.npz"}}]
        scores.append(finished_trials(sweep(FEW, num_trials=2, job={"tasks": tasks}), data_dir=tmp_path / name))
    assert scores[0] == scores[1]


def test_trials_on_other_data_than_the_first_are_refused(tmp_path: Path):
    inputs = np.random.default_rng(5).random((300, 4), np.float32)
    np.savez(tmp_path / "numbers.npz", inputs=inputs, targets=np.arange(300) % 2)
    tasks = [{"kind": "plain", "dataset": {"kind": "arrays", "path": "numbers.npz"}}]
    events = run_sweep(sweep(FEW, num_trials=2, job={"tasks": tasks}), data_dir=tmp_path)
    assert [type(next(events)) for _ in range(2)] == [TrialStarted, TrialFinished]
    np.savez(tmp_path / "numbers.npz", inputs=2 * inputs, targets=np.arange(300) % 2)
    with pytest.raises(DataChanged, match=r"numbers\.npz of task 0"):
        list(events)


def test_a_sweep_is_repeatable_and_goes_on_behind_the_trials_that_are_done():
    spec = sweep(num_trials=3)
    trials = finished_trials(spec)
    assert finished_trials(spec, finished=trials[:1]) == trials[1:]
    [last] = run_sweep(spec, finished=trials)
    assert isinstance(last, SweepFinished)
    assert last.trials == trials


def test_a_trial_that_diverges_has_failed_and_the_sweep_goes_on():
    spec = sweep({LAMBDA: choices(1e9, 1.0)}, sampler="grid", num_trials=2, job={"method": DIVERGING, "training": _fast()})
    *_, last = events = list(run_sweep(spec))
    failed, good = (event for event in events if isinstance(event, TrialFinished))
    assert (failed.trial.score, good.error) == (None, None)
    assert failed.error
    assert last.best == good.trial
    assert math.isfinite(good.trial.score)


def test_without_a_score_there_is_no_best():
    [*_, last] = run_sweep(sweep({LAMBDA: choices(1e9)}, job={"method": DIVERGING, "training": _fast()}))
    assert (last.best, last.final_job) == (None, None)


def test_data_that_are_not_there_end_the_sweep():
    with pytest.raises(DatasetUnavailable):
        list(run_sweep(sweep(job={"tasks": [{"dataset": "mnist"}]})))


def _fast() -> dict[str, Any]:
    return {**JOB["training"], "optimiser": "sgd", "learning_rate": 0.5, "num_epochs": 3}


def _noting(method: Any, splits: set[str]) -> Any:
    def _read(self: TaskData, split: str, *arguments: Any) -> Any:
        splits.add(split)
        return method(self, split, *arguments)

    return _read
