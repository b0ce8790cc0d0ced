"""The last frames as an agent sees them."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.errors import StateFormatError
from ewc_core.reinforcement.frame_stack import FrameStack


def _stack() -> FrameStack:
    return FrameStack(2, (1,), np.dtype(np.uint8), history=3)


def _frames(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)[:, None]


def test_a_copy_that_begins_an_episode_forgets_the_one_before_and_the_others_do_not() -> None:
    stack = _stack()
    stack.reset(_frames(1, 11))
    stack.push(_frames(2, 12), np.array([False, False]))
    assert stack.stacked[:, :, 0].tolist() == [[0, 1, 2], [0, 11, 12]]
    stack.push(_frames(3, 13), np.array([True, False]))
    assert stack.stacked[:, :, 0].tolist() == [[0, 0, 3], [11, 12, 13]]


def test_its_state_is_a_copy_that_another_stack_goes_on_from() -> None:
    stack, other = _stack(), _stack()
    stack.reset(_frames(1, 2))
    state = stack.state()
    stack.push(_frames(9, 9), np.array([False, False]))
    other.load_state(state)
    assert other.stacked[:, :, 0].tolist() == [[0, 0, 1], [0, 0, 2]]
    with pytest.raises(StateFormatError, match="frame stack"):
        FrameStack(3, (1,), np.dtype(np.uint8), history=3).load_state(state)
