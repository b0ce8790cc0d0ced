"""What only informs cannot stop a job, and a job that it fails in ends with the same bits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ewc_core.events import Evaluated, ScoresLogged, StepLogged, Warned, ZeroShot
from ewc_core.metrics import Measured
from ewc_core.supervised import informing
from ewc_core.supervised.learner import Learner
from ewc_core.supervised.task_book import TaskBook
from tests.ewc_core.supervised.jobs import digests, job, learn_all, of_type

SPEC = job(controls=["naive"])


def _breaks(*_: Any, **__: Any) -> Any:
    raise RuntimeError("derivative for a kernel is not implemented")


BROKEN: dict[str, tuple[object, str]] = {
    "the score before a task is trained": (informing, "fresh_network"),
    "the warnings before a visit": (informing.guards, "at_start"),
    "the check whether the penalty pulled": (informing.guards, "without_effect"),
    "the check of the capacity used": (informing, "capacity_guard"),
    "the penalty's curve": (Learner, "penalty"),
    "the penalty's share": (Learner, "_share"),
}


@functools.cache
def _ends() -> tuple[dict[str, str], list[Mapping[int, float]]]:
    """Weights and scores of the job in which nothing breaks."""
    run, events = learn_all(SPEC, (0, 1))
    return digests(run), [event.scores for event in of_type(events, Evaluated)]


@pytest.mark.parametrize("name", BROKEN)
def test_a_diagnostic_that_raises_is_an_event_and_the_job_ends_with_the_same_bits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _ends()
    monkeypatch.setattr(*BROKEN[name], _breaks)
    run, broken = learn_all(SPEC, (0, 1))
    assert (digests(run), [event.scores for event in of_type(broken, Evaluated)]) == expected
    said = [event for event in of_type(broken, Warned) if event.code == "diagnostic_failed"]
    assert {event.message for event in said} == {
        f"{name} could not be made, and training goes on without it: RuntimeError: derivative for a kernel is not implemented"
    }
    assert 1 <= len(said) <= 2


def test_curves_leave_out_what_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = job(controls=[], training={"learning_rate": 0.01, "batch_size": 400, "evaluate_every": 2})
    real, monkeypatched = TaskBook.measured, iter((1.0, float("nan")))

    def measured(book: TaskBook, *arguments: Any, **options: Any) -> dict[int, Measured]:
        cells = real(book, *arguments, **options)
        return {task: replace(cell, score=next(monkeypatched, cell.score)) for task, cell in cells.items()}

    monkeypatch.setattr(TaskBook, "measured", measured)
    monkeypatch.setattr(Learner, "penalty", lambda learner: float("inf"))
    _, events = learn_all(spec, (0,))
    (zero_shot,) = of_type(events, ZeroShot)
    assert zero_shot.current is None
    assert zero_shot.untrained is not None
    assert zero_shot.untrained.score == 1.0
    assert all(event.penalties == {} for event in of_type(events, StepLogged))
    assert all(event.scores["ewc"] for event in of_type(events, ScoresLogged))
    messages = {event.message.rpartition(": ")[2] for event in of_type(events, Warned)}
    assert messages == {"it is nan, expected a finite number", "it is inf, expected a finite number"}
