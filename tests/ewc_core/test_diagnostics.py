"""A diagnostic that cannot be made is said once in a visit, and the same reason once."""

from __future__ import annotations

from functools import partial

import pytest

from ewc_core.diagnostics import FAILED, Diagnostics
from ewc_core.events import Visit
from ewc_core.specs import PermutedTask

VISIT = Visit(index=0, task_index=0, task=PermutedTask(dataset="digits", permutation=0))


def _raise(error: BaseException) -> float:
    raise error


def _messages(diagnostics: Diagnostics) -> list[str]:
    return [warning.message for warning in diagnostics.warnings(VISIT, "ewc") if warning.code == FAILED]


def test_what_can_be_made_is_returned_and_nothing_is_said() -> None:
    diagnostics = Diagnostics()
    assert diagnostics.make("the answer", lambda: 42) == 42
    assert diagnostics.numbers("numbers", {"a": lambda: 1.0}) == {"a": 1.0}
    assert _messages(diagnostics) == []


def test_a_failure_is_named_with_its_reason_once_a_visit() -> None:
    diagnostics = Diagnostics()
    for _ in range(2):
        assert diagnostics.make("the capacity", partial(_raise, RuntimeError("not\x00 implemented\udc80\nat line 7"))) is None
    expected = ["the capacity could not be made, and training goes on without it: RuntimeError: not? implemented?"]
    assert _messages(diagnostics) == expected
    diagnostics.start_visit()
    assert diagnostics.make("the capacity", partial(_raise, KeyError())) is None
    assert _messages(diagnostics) == ["the capacity could not be made, and training goes on without it: KeyError: "]


def test_the_same_reason_is_said_once_in_a_job_and_another_one_once_a_visit() -> None:
    diagnostics, said = Diagnostics(), []
    for reason in ("first", "first", "second", "first"):
        diagnostics.start_visit()
        for number in range(3):
            diagnostics.make("the capacity", partial(_raise, RuntimeError(reason if number == 0 else f"{reason} {number}")))
        said.append([message.rpartition(": ")[2] for message in _messages(diagnostics)])
    assert said == [["first"], [], ["second"], []]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_left_out_and_said(value: float) -> None:
    diagnostics = Diagnostics()
    assert diagnostics.numbers("the penalty", {"ewc": lambda: value, "naive": lambda: 0.0}) == {"naive": 0.0}
    (message,) = _messages(diagnostics)
    assert f"it is {value}" in message


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), SystemExit()])
def test_what_ends_a_process_is_not_caught(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Diagnostics().make("the capacity", partial(_raise, error))
