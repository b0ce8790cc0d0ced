"""A change is believed when it was seen several times in a row."""

from __future__ import annotations

from ewc_core.task_inference.debounce import Debounce


def test_the_first_sight_is_believed_at_once_and_a_change_after_enough() -> None:
    debounce = Debounce(3)
    assert debounce.believed is None
    assert [debounce.see(label) for label in (4, 1, 1, 4, 1, 1, 1, 4)] == [4, 4, 4, 4, 4, 4, 1, 1]


def test_it_is_settled_when_the_last_sight_is_what_is_believed() -> None:
    debounce = Debounce(2)
    settled = []
    for label in (0, 1, 0, 1, 1):
        debounce.see(label)
        settled.append(debounce.is_settled)
    assert settled == [True, False, True, False, True]


def test_it_goes_on_from_its_state() -> None:
    fresh, one, other = Debounce(3), Debounce(3), Debounce(3)
    other.load_state(fresh.state())
    assert other.believed is None
    for label in (0, 2, 2):
        one.see(label)
    other.load_state(one.state())
    assert (one.see(2), other.see(2)) == (2, 2)
