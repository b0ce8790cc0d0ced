"""Constraints by task: replaced, weighted, switched off while their task is learned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, ConstraintBook, Merging
from ewc_core.errors import StateFormatError
from ewc_core.fisher.info import FisherInfo
from ewc_core.params import ParameterLayout
from ewc_core.seeding import generator

LAYOUT = ParameterLayout(("w", "b"), ((2, 3), (2,)))
SEED = 2**62 + 12345


def _constraint(label: int, *, scale: float = 1.0) -> Constraint:
    random = generator(label)
    fisher = {"w": scale * torch.rand(2, 3, generator=random), "b": torch.zeros(2)}
    anchor = {"w": torch.randn(2, 3, generator=random), "b": torch.randn(2, generator=random)}
    return Constraint(label, fisher, anchor, 2.0, FisherInfo("rademacher", "gaussian", 3200, SEED + label))


def _precision(tasks: ConstraintBook, playing: int) -> Tensor:
    quadratic = tasks.penalty(LAYOUT, visiting=playing)
    return torch.zeros(8) if quadratic is None else quadratic.precision


def test_the_constraint_of_the_task_being_played_is_inactive() -> None:
    tasks = ConstraintBook(Merging.SEPARATE)
    for label in (0, 1):
        tasks.put(_constraint(label), visit_index=label)
    own = [2.0 * LAYOUT.join(_constraint(label).fisher, dtype=torch.float32) for label in (0, 1)]
    torch.testing.assert_close(_precision(tasks, playing=0), own[1])
    torch.testing.assert_close(_precision(tasks, playing=1), own[0])
    torch.testing.assert_close(_precision(tasks, playing=2), own[0] + own[1])


def test_a_second_constraint_of_a_task_replaces_the_first_and_counts_fully() -> None:
    tasks = ConstraintBook(Merging.SEPARATE)
    tasks.put(_constraint(0), visit_index=0)
    tasks.weights = {0: 0.5}
    tasks.put(_constraint(0, scale=3.0), visit_index=4)
    expected = 2.0 * LAYOUT.join(_constraint(0, scale=3.0).fisher, dtype=torch.float32)
    torch.testing.assert_close(_precision(tasks, playing=1), expected)
    assert tasks.made_in[0] == 4


def test_its_state_goes_on_bit_for_bit() -> None:
    tasks, other = ConstraintBook(Merging.SEPARATE), ConstraintBook(Merging.SEPARATE)
    for label in (3, 0):
        tasks.put(_constraint(label), visit_index=label + 1)
    tasks.weights = {3: 0.25}
    other.load_state(tasks.state(LAYOUT), LAYOUT, _constraint(9))
    assert other.weights == tasks.weights
    assert other.made_in == {0: 1, 3: 4}
    for constraint, label in zip(other.constraints, (0, 3), strict=True):
        assert constraint.info == _constraint(label).info
        assert constraint.task_index == label
    assert torch.equal(_precision(other, playing=7), _precision(tasks, playing=7))
    state = tasks.state(LAYOUT)
    with pytest.raises(StateFormatError, match="constraints"):
        other.load_state({name: tensor for name, tensor in state.items() if name != "anchor.3"}, LAYOUT, _constraint(9))
    with pytest.raises(StateFormatError, match="facts"):
        other.load_state({}, LAYOUT, _constraint(9))


class _Store:
    def __init__(self) -> None:
        self.asked: list[int] = []

    def constraint(self, task_index: int) -> Constraint:
        self.asked.append(task_index)
        return _constraint(task_index)


def test_a_book_lets_go_of_what_was_put_there_once_a_store_has_it() -> None:
    store = _Store()
    book, alone = ConstraintBook(Merging.SEPARATE, store=store), ConstraintBook(Merging.SEPARATE)
    made = [_constraint(label) for label in (0, 1)]
    for constraint in made:
        book.put(constraint, visit_index=constraint.task_index)
        alone.put(constraint, visit_index=constraint.task_index)
    assert [id(kept) for kept in book.constraints] == [id(constraint) for constraint in made]
    for _ in range(2):  # the second time there is nothing new
        book.let_go()
        alone.let_go()
    assert store.asked == [0, 1]
    assert not any(kept is constraint for kept, constraint in zip(book.constraints, made, strict=True))
    assert all(kept is constraint for kept, constraint in zip(alone.constraints, made, strict=True))
    assert torch.equal(_precision(book, playing=2), _precision(alone, playing=2))


def test_a_running_sum_lets_go_of_the_latest_only() -> None:
    store = _Store()
    book = ConstraintBook(Merging.RUNNING, store=store)
    for label in (0, 1):
        book.put(_constraint(label), visit_index=label)
    book.let_go()
    assert store.asked == [1]
