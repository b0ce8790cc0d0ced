"""The replays of one agent: one per task, apart from each other, within one bound."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ewc_core.errors import SpecError, StateFormatError
from ewc_core.reinforcement.replays import Replays
from ewc_core.specs.agent import AgentSpec, replay_bytes
from tests.ewc_core.reinforcement.replays_of import FRAME, play

AGENT = AgentSpec(history=1, num_envs=2, replay_capacity=20, min_history=2)
EACH = replay_bytes(AGENT, frame_bytes=4)


def _replays(max_bytes: int, folder: Path | None = None) -> Replays:
    return Replays(AGENT, frame_shape=(1,), frame_dtype=FRAME, max_bytes=max_bytes, folder=folder)


def _actions(replays: Replays, label: int) -> set[int]:
    return set(replays.by_label[label].sample(500, torch.Generator().manual_seed(0)).actions.tolist())


def test_what_is_remembered_of_one_task_is_not_drawn_for_another() -> None:
    replays = _replays(2 * EACH)
    play(replays.of(0, num_steps={})[0], range(1, 8))
    play(replays.of(1, num_steps={})[0], range(11, 18))
    assert _actions(replays, 0) == {1, 2, 3, 4, 5, 6}
    assert _actions(replays, 1) == {11, 12, 13, 14, 15, 16}
    assert replays.of(0, num_steps={})[0] is replays.by_label[0]


def test_the_bound_holds_and_the_task_played_least_gives_way() -> None:
    replays = _replays(3 * EACH - 1)
    steps = {0: 50, 1: 20}
    for label in (0, 1):
        play(replays.of(label, num_steps=steps)[0], range(1, 8))
    _, evicted = replays.of(2, num_steps=steps)
    assert evicted == 1
    assert sorted(replays.by_label) == [0, 2]
    assert sum(replay.nbytes for replay in replays.by_label.values()) <= 3 * EACH - 1


def test_a_bound_that_not_even_one_replay_fits_into_names_its_field() -> None:
    with pytest.raises(SpecError, match=str(EACH)) as refused:
        _replays(EACH - 1)
    assert refused.value.field == "agent.replay_memory_bytes"


def test_with_room_for_one_replay_every_task_in_turn_has_it() -> None:
    replays = _replays(EACH)
    for label in (0, 1, 0):
        replay, _ = replays.of(label, num_steps={0: 1, 1: 1})
        assert list(replays.by_label) == [label]
        assert replay.num_transitions == 0
        play(replay, range(1, 8))


def test_a_resume_point_from_before_a_replay_gave_way_is_still_good(tmp_path: Path) -> None:
    replays = _replays(EACH, tmp_path / "first")
    play(replays.of(0, num_steps={})[0], range(1, 8))
    cursors = replays.cursors()
    play(replays.of(1, num_steps={0: 7})[0], range(11, 18))
    play(replays.of(0, num_steps={1: 7})[0], range(21, 28))

    again = _replays(EACH, tmp_path / "second")
    again.reopen(cursors, source=tmp_path / "first")
    assert list(again.by_label) == [0]
    assert _actions(again, 0) == {1, 2, 3, 4, 5, 6}


def test_files_that_gave_way_are_deleted_once_a_later_resume_point_has_been_kept(tmp_path: Path) -> None:
    replays = _replays(EACH, tmp_path)
    replays.of(0, num_steps={})
    replays.cursors()
    assert not replays.is_point_due
    replays.of(1, num_steps={})
    assert replays.is_point_due
    replays.cursors()  # is being kept now: the one before may still be needed
    assert not replays.is_point_due
    assert len(list(tmp_path.iterdir())) == 2
    replays.cursors()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_resume_point_is_due_before_a_burst_could_use_up_the_margin() -> None:
    replays = _replays(EACH)
    replay, _ = replays.of(0, num_steps={})
    replays.cursors()
    play(replay, range(replay.margin // 2 - 1))
    assert not replays.is_point_due
    play(replay, range(replays.max_burst + 1))
    assert replays.is_point_due
    assert replay.num_appended_since_cursor + AGENT.history <= replay.margin


@pytest.mark.parametrize("name", ["written", "x.written", "0."])
def test_cursors_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(StateFormatError, match="cursor"):
        _replays(EACH, tmp_path).reopen({name: torch.zeros(2, dtype=torch.int64)}, source=tmp_path)


def test_replays_in_memory_cannot_be_gone_on_from() -> None:
    replays = _replays(EACH)
    replays.of(0, num_steps={})
    with pytest.raises(StateFormatError, match="keeps none"):
        _replays(EACH).reopen(replays.cursors(), source=None)
