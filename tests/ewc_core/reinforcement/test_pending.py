"""Transitions that wait until it is known which task they belong to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.reinforcement.pending import PendingTransitions
from ewc_core.reinforcement.replay import Replay
from tests.ewc_core.reinforcement.replays_of import empty, frames, play


def _add(pending: PendingTransitions, numbers: range, *, cut: bool = False) -> None:
    for number in numbers:
        over = np.array([cut, False])
        step = EnvironmentStep(
            frames(number + 1, 2), np.full(2, number / 10), np.zeros(2, dtype=np.bool_), over, frames(number, 2) + np.float32(0.5)
        )
        pending.add(frames(number, 2), np.full(2, number, dtype=np.int64), step.rewards, step)


def _same(one: Replay, other: Replay) -> bool:
    a, b = (replay.sample(200, torch.Generator().manual_seed(0)) for replay in (one, other))
    return torch.equal(a.states, b.states) and torch.equal(a.next_states, b.next_states) and torch.equal(a.actions, b.actions)


def test_what_waited_is_stored_as_if_it_had_not() -> None:
    pending, waited, direct = PendingTransitions(), empty(), empty()
    _add(pending, range(1, 4))
    pending.cut()
    _add(pending, range(5, 9))
    assert len(pending) == 7
    assert pending.move_to(waited) == 14
    assert len(pending) == 0
    play(direct, range(1, 4))
    direct.cut()
    play(direct, range(5, 9))
    assert _same(waited, direct)


def test_a_cut_at_the_end_counts_for_what_is_stored_next() -> None:
    pending, waited, direct = PendingTransitions(), empty(), empty()
    _add(pending, range(1, 4))
    pending.cut()
    pending.move_to(waited)
    _add(pending, range(5, 9))
    pending.move_to(waited)
    play(direct, range(1, 4))
    direct.cut()
    play(direct, range(5, 9))
    assert _same(waited, direct)


def test_it_goes_on_from_its_state() -> None:
    pending, other = PendingTransitions(), PendingTransitions()
    _add(pending, range(1, 4), cut=True)
    pending.cut()
    other.load_state(pending.state())
    assert other.num_entries == pending.num_entries == 6  # every episode that is cut leaves one entry more
    one, two = empty(), empty()
    for waiting, replay in ((pending, one), (other, two)):
        _add(waiting, range(5, 9))
        waiting.move_to(replay)
    assert _same(one, two)


def test_nothing_that_waits_is_a_state_too_and_a_strange_one_is_refused() -> None:
    pending = PendingTransitions()
    pending.load_state(PendingTransitions().state())
    assert len(pending) == 0
    with pytest.raises(StateFormatError, match="pending"):
        pending.load_state({"cuts": torch.zeros(0), "frames": torch.zeros(1)})
