"""Mistakes that do not stand in each other's way are told as one error."""

from __future__ import annotations

import pytest

from ewc_core.errors import DatasetUnavailable, JobTooLarge, SpecError, StateFormatError
from ewc_core.mistakes import Mistakes, together


def test_one_mistake_is_told_as_it_is() -> None:
    error = SpecError("too small", field="network")
    assert together([error]) is error


def test_several_are_told_with_their_fields_and_the_first_ones_field() -> None:
    found = together([DatasetUnavailable("no file a", field="tasks.0.dataset"), JobTooLarge("9 GiB", field="network")])
    assert str(found) == "2 mistakes: tasks.0.dataset: no file a; network: 9 GiB"
    assert found.field == "tasks.0.dataset"


def test_what_a_retry_can_help_is_not_said_of_what_it_cannot() -> None:
    kinds = DatasetUnavailable("no file", field="tasks.0.dataset"), JobTooLarge("9 GiB", field="network")
    assert type(together(kinds)) is JobTooLarge
    assert type(together([kinds[0], DatasetUnavailable("nor b", field="tasks.1.dataset")])) is DatasetUnavailable


def test_the_same_mistake_in_many_places_is_told_once() -> None:
    found = together([SpecError("no file", field=f"tasks.{index}.dataset") for index in range(1000)])
    assert str(found) == "no file"
    others = together([*(SpecError("no file", field=f"tasks.{index}") for index in range(7)), SpecError("bad", field="heads")])
    assert str(others) == "2 mistakes: tasks.0, tasks.1, tasks.2, tasks.3, tasks.4 and 2 more: no file; heads: bad"


def test_very_many_are_counted() -> None:
    found = together([SpecError(f"wrong {index}") for index in range(30)])
    assert str(found).startswith("30 mistakes: wrong 0; wrong 1; ")
    assert str(found).endswith("wrong 19; and 10 more")


def test_damaged_files_are_mistakes_and_what_is_ours_is_not() -> None:
    mistakes = Mistakes()
    with mistakes.noted():
        raise StateFormatError("x.npz: cut off")
    with pytest.raises(ZeroDivisionError), mistakes.noted():
        raise ZeroDivisionError
    with pytest.raises(StateFormatError, match="cut off"):
        mistakes.require_none()


def test_an_error_of_several_mistakes_is_taken_apart() -> None:
    mistakes = Mistakes()
    with mistakes.noted():
        raise together([SpecError("a", field="x"), SpecError("b", field="y")])
    assert [(error.field, str(error)) for error in mistakes.found] == [("x", "a"), ("y", "b")]
