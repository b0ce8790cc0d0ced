"""One task's replay: frames stored once, stacks within an episode, a ring, and files that outlive the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ewc_core.errors import ResumePointDamaged, SpecError, StateFormatError
from ewc_core.reinforcement.replay import Batch, Replay
from ewc_core.specs.agent import AgentSpec, replay_bytes
from tests.ewc_core.reinforcement.replays_of import empty, frames, play, sizes

BYTES = {"frames": 4, "actions": 2, "rewards": 4, "flags": 1}


def _all(replay: Replay, num: int = 4000) -> Batch:
    return replay.sample(num, torch.Generator().manual_seed(0))


def _by_frame(batch: Batch) -> dict[float, tuple[list[float], int, float, list[float], float]]:
    """Transitions by the newest frame of their state: state, action, reward, next state, continues."""
    found = {}
    for row in range(len(batch.actions)):
        state, following = batch.states[row, :, 0].tolist(), batch.next_states[row, :, 0].tolist()
        found[state[-1]] = (state, int(batch.actions[row]), float(batch.rewards[row]), following, float(batch.continues[row]))
    return found


def test_a_transition_is_a_frame_what_was_done_in_it_and_the_frame_after_it() -> None:
    replay = empty()
    play(replay, range(1, 6))
    found = _by_frame(_all(replay))
    assert sorted(found) == [1, 2, 3, 4, 1001, 1002, 1003, 1004]  # the next frame of the newest is not known yet
    state, action, reward, following, continues = found[1003]
    assert (state, action, following, continues) == ([1003], 3, [1004], 1.0)
    assert reward == pytest.approx(0.3)


def test_nothing_follows_a_terminated_episode_and_one_that_was_cut_is_bootstrapped_from_its_last_frame() -> None:
    replay = empty()
    play(replay, range(1, 9), ends={3: "terminated", 6: "cut"})
    found = _by_frame(_all(replay))
    assert sorted(number for number in found if number < 1000) == [1, 2, 3, 4, 5, 6, 7]
    assert found[3][4] == 0.0
    assert found[6][3:] == ([6.5], 1.0)
    assert found[7][3] == [8]


def test_stacks_never_reach_into_the_episode_before() -> None:
    replay = empty(history=3)
    play(replay, range(1, 9), ends={3: "terminated", 6: "cut"})
    found = _by_frame(_all(replay))
    assert found[1][0] == [0, 0, 1]
    assert found[3][0] == [1, 2, 3]
    assert (found[4][0], found[4][3]) == ([0, 0, 4], [0, 4, 5])
    assert (found[6][0], found[6][3]) == ([4, 5, 6], [5, 6, 6.5])
    assert (found[7][0], found[7][3]) == ([0, 0, 7], [0, 7, 8])


def test_what_comes_after_a_cut_does_not_follow_from_what_was_before() -> None:
    replay = empty(history=2)
    play(replay, range(1, 4))
    replay.cut()
    play(replay, range(10, 13))
    found = _by_frame(_all(replay))
    assert sorted(number for number in found if number < 1000) == [1, 2, 10, 11]
    assert found[10][0] == [0, 10]


def test_of_every_stream_the_newest_entries_count_however_often_the_ring_went_round() -> None:
    replay = empty(capacity=20)  # 10 a stream, in a ring of 266
    play(replay, range(1, 901))
    assert sorted(number for number in _by_frame(_all(replay)) if number < 1000) == list(range(891, 900))
    assert replay.num_transitions == 18


def test_every_frame_is_stored_once() -> None:
    history, num_envs = 4, 2
    agent = AgentSpec(history=history, num_envs=num_envs, replay_capacity=1000, min_history=10)
    replay = Replay(
        capacity=1000, num_envs=num_envs, frame_shape=(84, 84), frame_dtype=np.dtype(np.uint8), history=history, folder=None
    )
    assert replay.nbytes == num_envs * (500 + replay.margin) * (84 * 84 + 7)  # action 2, reward 4, flags 1
    assert replay.nbytes == replay_bytes(agent, frame_bytes=84 * 84)


def test_transitions_are_drawn_evenly() -> None:
    replay = empty(num_envs=2)
    play(replay, range(1, 8), ends={2: "terminated", 5: "cut"})
    batch = _all(replay, 24_000)
    expected = {stream * 1000 + number for stream in (0, 1) for number in (1, 2, 3, 4, 5, 6)}  # a list made by hand
    numbers, counts = np.unique(batch.states[:, -1, 0].numpy(), return_counts=True)
    assert set(numbers.tolist()) == expected
    assert (np.abs(counts - 2000) < 4 * np.sqrt(2000)).all()


def test_where_hardly_any_entry_is_a_transition_those_few_are_drawn_evenly() -> None:
    replay = empty(num_envs=1, capacity=1000)
    for number in range(1, 900):
        play(replay, range(number, number + 1), num_envs=1)
        if number not in (400, 500):
            replay.cut()
    numbers, counts = np.unique(_all(replay, 400).states[:, -1, 0].numpy(), return_counts=True)
    assert numbers.tolist() == [400, 500]
    assert abs(counts[0] - 200) < 40


def test_there_is_nothing_to_draw_from_an_empty_replay_or_from_loose_ends() -> None:
    replay = empty()
    assert replay.num_transitions == 0
    with pytest.raises(SpecError, match="empty"):
        replay.sample(1, torch.Generator())
    play(replay, range(1, 2))
    assert replay.num_transitions == 0
    with pytest.raises(SpecError, match="none of them is a transition"):
        replay.sample(1, torch.Generator())


def test_a_replay_reopened_at_a_cursor_is_what_it_was_then_whatever_was_written_since(tmp_path: Path) -> None:
    replay = empty(history=3, folder=tmp_path / "first")
    play(replay, range(1, 401), ends=dict.fromkeys(range(7, 400, 7), "cut"))
    cursor, then = replay.cursor(), _all(replay)
    room = replay.margin - 3
    play(replay, range(500, 500 + room))
    assert replay.num_appended_since_cursor == room
    again = Replay.copied_from(tmp_path / "first", cursor, folder=tmp_path / "second", **sizes(history=3))
    now = _all(again)
    assert torch.equal(now.states, then.states)
    assert torch.equal(now.next_states, then.next_states)
    assert torch.equal(now.actions, then.actions)
    assert torch.equal(now.rewards, then.rewards)


def test_it_outlives_the_process_that_wrote_it_and_was_killed(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from tests.ewc_core.reinforcement.replays_of import empty, play
play(empty(folder=Path(sys.argv[1])), range(1, 6))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "first")], check=False, cwd=Path.cwd())
    assert done.returncode == -9
    cursor = {"written": torch.tensor([5, 5]), "starts": torch.tensor([False, False])}
    again = Replay.copied_from(tmp_path / "first", cursor, folder=tmp_path / "second", **sizes())
    assert sorted(_by_frame(_all(again))) == [1, 2, 3, 4, 1001, 1002, 1003, 1004]


def test_what_is_written_after_reopening_leaves_the_first_files_alone(tmp_path: Path) -> None:
    replay = empty(folder=tmp_path / "first")
    play(replay, range(1, 6))
    before = (tmp_path / "first" / "frames.bin").read_bytes()
    again = Replay.copied_from(tmp_path / "first", replay.cursor(), folder=tmp_path / "second", **sizes())
    play(again, range(50, 60))
    assert (tmp_path / "first" / "frames.bin").read_bytes() == before
    assert 50 in _by_frame(_all(again))


@pytest.mark.parametrize("damage", ["missing", "shorter", "longer"])
def test_a_file_that_is_missing_or_has_another_size_is_named(damage: str, tmp_path: Path) -> None:
    replay = empty(folder=tmp_path / "first")
    play(replay, range(1, 6))
    file = tmp_path / "first" / "rewards.bin"
    if damage == "missing":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[:-1] if damage == "shorter" else content + b"0")
    with pytest.raises(StateFormatError, match=r"rewards\.bin"):
        Replay.copied_from(tmp_path / "first", replay.cursor(), folder=tmp_path / "second", **sizes())


@pytest.mark.parametrize("name", ["frames", "actions", "rewards", "flags"])
def test_a_flipped_bit_of_an_entry_that_counts_is_found_unless_the_cursor_is_of_an_earlier_version(
    name: str, tmp_path: Path
) -> None:
    replay = empty(folder=tmp_path / "first")
    play(replay, range(1, 6))
    cursor = replay.cursor()
    play(replay, range(6, 8))
    again = Replay.copied_from(tmp_path / "first", cursor, folder=tmp_path / "second", **sizes())
    assert all(torch.equal(value, cursor[key]) for key, value in again.cursor().items())
    file = tmp_path / "first" / f"{name}.bin"
    content = bytearray(file.read_bytes())
    content[4 * BYTES[name]] ^= 1  # of the fifth entry of the first stream
    file.write_bytes(content)
    with pytest.raises(ResumePointDamaged, match="a file of first"):
        Replay.copied_from(tmp_path / "first", cursor, folder=tmp_path / "third", **sizes())
    old = {key: value for key, value in cursor.items() if key != "checksum"}
    Replay.copied_from(tmp_path / "first", old, folder=tmp_path / "fourth", **sizes())


@pytest.mark.parametrize(
    "cursor",
    [
        {"written": torch.tensor([5, 5])},
        {"written": torch.tensor([5]), "starts": torch.tensor([False])},
        {"written": torch.tensor([5.0, 5.0]), "starts": torch.tensor([False, False])},
    ],
)
def test_a_cursor_of_another_replay_is_refused(cursor: dict[str, torch.Tensor], tmp_path: Path) -> None:
    play(empty(folder=tmp_path / "first"), range(1, 6))
    with pytest.raises(StateFormatError, match="cursor"):
        Replay.copied_from(tmp_path / "first", cursor, folder=tmp_path / "second", **sizes())


def test_every_transition_of_a_random_life_is_that_of_a_plain_list_of_episodes() -> None:
    """Against an obvious reference: episodes as lists of frames, with lives, cuts and ends at random."""
    random = np.random.default_rng(3)
    history, num_envs, capacity = 4, 3, 90
    replay = empty(capacity=capacity, num_envs=num_envs, history=history)
    episodes: list[list[tuple[float, int]]] = [[] for _ in range(num_envs)]  # (frame, action) of the running episode
    known: list[list[tuple[list[float], int, list[float], float]]] = [[] for _ in range(num_envs)]
    for number in range(1, 400):
        over = random.random(num_envs) < 0.1
        terminated = (random.random(num_envs) < 0.5) & (over | (random.random(num_envs) < 0.1))  # not over: a life was lost
        now, final = frames(number, num_envs), frames(number, num_envs) + np.float32(0.5)
        actions = random.integers(4, size=num_envs)
        replay.append(now, actions, np.zeros(num_envs), terminated, over, final)
        for stream in range(num_envs):
            running = episodes[stream]
            if running and known[stream] and known[stream][-1][2] == []:
                state, action, _, _ = known[stream][-1]
                known[stream][-1] = (state, action, [*state[1:], float(now[stream, 0])], 1.0)
            running.append((float(now[stream, 0]), int(actions[stream])))
            stack = [frame for frame, _ in running][-history:]
            state = [0.0] * (history - len(stack)) + stack
            if terminated[stream]:
                known[stream].append((state, int(actions[stream]), state, 0.0))
            elif over[stream]:
                known[stream].append((state, int(actions[stream]), [*state[1:], float(final[stream, 0])], 1.0))
            else:
                known[stream].append((state, int(actions[stream]), [], 1.0))
            if over[stream]:
                episodes[stream] = []
    expected = {tuple(t[0][-1:]): t for stream in known for t in stream if t[2]}
    batch = _all(replay, 5000)
    seen = set()
    for row in range(len(batch.actions)):
        state, action, following, continues = expected[(float(batch.states[row, -1, 0]),)]
        assert batch.states[row, :, 0].tolist() == state
        assert int(batch.actions[row]) == action
        assert float(batch.continues[row]) == continues
        if continues:
            assert batch.next_states[row, :, 0].tolist() == following
        seen.add(state[-1])
    assert len(seen) > 60
