"""A check says all that is wrong with a job at once, and what it would take."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from ewc_core.checking.run import take_up
from ewc_core.events import Event, Visit
from ewc_core.specs import JOB_KINDS, CheckSpec
from ewc_core.specs.check import CheckedSpec
from ewc_core.specs.limits import NO_LIMITS, JobLimits
from ewc_core.specs.size import PASS_NUMBERS
from ewc_core.supervised.problem import SupervisedProblem
from tests.ewc_core.checking.stored import looked_over

DIGITS = {
    "network": {"hidden_sizes": [16]},
    "training": {"num_epochs": 2, "batch_size": 64},
    "method": {"kind": "ewc", "ewc_lambda": 10.0},
    "controls": ["naive", "joint"],
    "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}, {"dataset": "digits", "permutation": 2}],
}
CATCH = {
    "kind": "reinforcement",
    "network": {"kind": "mlp", "hidden_sizes": [16]},
    "agent": {"preset": "small", "replay_capacity": 2000, "num_envs": 4},
    "method": {"kind": "ewc", "ewc_lambda": 10.0},
    "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0"}, {"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": 1}],
    "schedule": {"kind": "rounds", "num_steps": 400, "order": "fixed"},
}
ASSOCIATION = {"kind": "association", "num_synapses": 50, "num_patterns": 60, "num_repeats": 20}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    arrays = {"train_inputs": inputs, "train_targets": labels, "test_inputs": inputs[:10], "test_targets": labels[:10]}
    np.savez(tmp_path / "good.npz", **arrays)
    np.savez(
        tmp_path / "wide.npz", **{**arrays, "train_inputs": np.hstack([inputs] * 2), "test_inputs": np.hstack([inputs[:10]] * 2)}
    )
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:100])
    return tmp_path


def _plain(*names: str) -> list[dict[str, object]]:
    return [{"kind": "plain", "dataset": {"kind": "arrays", "path": name}} for name in names]


@pytest.mark.parametrize("job", [DIGITS, CATCH, ASSOCIATION], ids=["digits", "catch", "association"])
def test_of_a_job_that_can_run_nothing_is_wrong_and_everything_is_estimated(job: dict[str, object]) -> None:
    body = looked_over(job)
    assert (body["is_runnable"], body["mistakes"]) == (True, [])
    estimate = body["estimate"]
    assert all(estimate[name] > 0 for name in ("num_parameters", "memory_bytes", "disk_bytes", "seconds"))


def test_the_parameters_are_those_of_the_network() -> None:
    assert looked_over(DIGITS)["estimate"]["num_parameters"] == (64 + 1) * 16 + (16 + 1) * 10
    assert looked_over(CATCH)["estimate"]["num_parameters"] == (50 + 2) * 16 + (16 + 2) * 3


def test_the_time_of_random_patterns_grows_with_their_repeats() -> None:
    few, many = (looked_over({**ASSOCIATION, "num_repeats": num})["estimate"]["seconds"] for num in (20, 2000))
    assert 0 < few < many


def test_tasks_that_are_refused_do_not_hide_each_other(files: Path) -> None:
    tasks = _plain("good.npz", "none.npz", "cut.npz", "wide.npz", "none.npz")
    body = looked_over({**DIGITS, "controls": [], "tasks": tasks}, data_dir=files)
    assert body["is_runnable"] is False
    found = [(mistake["field"], mistake["code"]) for mistake in body["mistakes"]]
    assert found == [
        ("tasks.1.dataset.path", "dataset_unavailable"),
        ("tasks.2.dataset", "state_format"),
        ("tasks.4.dataset.path", "dataset_unavailable"),
        ("tasks.3.dataset", "invalid_spec"),
    ]
    assert body["estimate"]["num_parameters"] == (3 + 1) * 16 + (16 + 1) * 2


@pytest.mark.parametrize(("content", "code"), [(b"", "state_format"), (None, "dataset_unavailable")])
def test_data_that_are_lost_while_they_are_looked_at_are_a_mistake(files: Path, content: bytes | None, code: str) -> None:
    class Losing:
        """The file is another one, or gone, once it was read."""

        limits, point, num_asked = NO_LIMITS, None, 0

        @property
        def data_dir(self) -> Path:
            self.num_asked += 1
            if self.num_asked == 2:
                (files / "good.npz").unlink() if content is None else (files / "good.npz").write_bytes(content)
            return files

    run = take_up(CheckSpec.model_validate({"kind": "check", "job": {**DIGITS, "tasks": _plain("good.npz")}}), Losing())
    assert list(run.work()) == [1]
    assert [mistake["code"] for mistake in run.findings().body["mistakes"]] == [code]


def test_where_no_task_is_left_the_rest_cannot_be_looked_at(files: Path) -> None:
    body = looked_over({**DIGITS, "tasks": _plain("none.npz", "cut.npz")}, data_dir=files)
    assert [mistake["field"] for mistake in body["mistakes"]] == ["tasks.0.dataset.path", "tasks.1.dataset"]
    assert set(body["estimate"].values()) == {None}


def test_games_that_are_refused_do_not_hide_each_other() -> None:
    games = ["CartPole-v1", "Nothing-v0", "MountainCar-v0", "Neither-v3"]
    body = looked_over({**CATCH, "tasks": [{"kind": "gymnasium", "id": name} for name in games]})
    assert [mistake["field"] for mistake in body["mistakes"]] == ["tasks.1.id", "tasks.2", "tasks.3.id"]


@pytest.mark.parametrize("job", [DIGITS, CATCH, ASSOCIATION], ids=["digits", "catch", "association"])
def test_a_job_that_takes_too_much_is_told_both_numbers_and_its_estimate(job: dict[str, object]) -> None:
    body = looked_over(job, limits=JobLimits(memory_bytes=2**20, disk_bytes=1))
    (mistake,) = body["mistakes"]
    assert (mistake["code"], mistake["field"]) == ("job_too_large", "num_synapses" if job is ASSOCIATION else "network")
    assert "at most 1 MiB (EWC_MAX_JOB_MEMORY_BYTES)" in mistake["message"]
    assert "(EWC_MAX_JOB_DISK_BYTES)" in mistake["message"]
    assert mistake["message"].endswith("smaller files of data and replays of agents; the smallest job takes 360 MiB of memory")
    assert body["estimate"]["memory_bytes"] > 2**20
    assert body["estimate"]["seconds"] is None


def test_what_examples_of_users_take_on_their_way_is_estimated(files: Path) -> None:
    images = np.zeros((40, 1, 32, 32), np.float32)
    np.savez(files / "images.npz", inputs=images, targets=np.arange(40) % 2)
    conv = {"network": {"kind": "conv", "channels": [512], "hidden_sizes": []}, "method": {"kind": "naive"}, "controls": []}
    few, many = (
        looked_over({**conv, "training": {"batch_size": size}, "tasks": _plain("images.npz")}, data_dir=files) for size in (1, 64)
    )
    grown = many["estimate"]["memory_bytes"] - few["estimate"]["memory_bytes"]
    assert grown == 4 * PASS_NUMBERS * (513 * 32 * 32) * (32 - 1)


def test_a_job_that_the_machine_does_not_hold_is_told_how_it_comes_to_a_larger_one() -> None:
    (mistake,) = looked_over(DIGITS, limits=JobLimits(machine_bytes=2**28))["mistakes"]
    assert "the machine of the worker that took it has 256 MiB; execution.memory_bytes leads it to a larger" in mistake["message"]
    assert "EWC_WORKER_MEMORY_BYTES" in mistake["message"]


def test_a_first_step_that_takes_all_the_time_is_not_what_a_step_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ewc_core.supervised.check._BUDGET_SECONDS", 1e-9)
    steps: list[tuple[int, int]] = []
    advance = SupervisedProblem.advance

    def counted(problem: SupervisedProblem, visit: Visit, *, step: int, num_steps: int) -> Generator[Event, None, int]:
        steps.append((visit.index, step))
        return advance(problem, visit, step=step, num_steps=num_steps)

    monkeypatch.setattr(SupervisedProblem, "advance", counted)
    assert looked_over(DIGITS)["is_runnable"]
    assert steps == [(0, 0), (0, 1), (2, 0), (2, 1)]


def test_warnings_that_the_job_would_give_before_its_first_step_are_given() -> None:
    growing = {**DIGITS, "heads": {"kind": "growing"}, "controls": [], "tasks": [
        {"kind": "split", "dataset": "digits", "classes": [0, 1]}, {"kind": "split", "dataset": "digits", "classes": [2, 3]},
    ]}  # fmt: skip
    assert "class_incremental_needs_replay" in {warning["code"] for warning in looked_over(growing)["warnings"]}


def test_what_can_be_checked_says_how_and_nothing_else_does() -> None:
    union = {tag.tag for kind in get_args(get_args(CheckedSpec)[0]) for tag in get_args(kind)[1:]}
    assert {name for name, kind in JOB_KINDS.items() if kind.checked_by is not None} == union
