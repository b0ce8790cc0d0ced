"""Atari: what the agent is shown of the emulator, against the emulator itself."""

from __future__ import annotations

import ale_py
import numpy as np
import pytest
from ale_py import roms
from numpy.typing import NDArray

from ewc_core.specs.atari_games import ATARI_GAMES
from tests.ewc_core.reinforcement.environments.play import atari_task, opened, play, random_actions

FOR_TWO_PLAYERS = {"combat", "joust", "maze_craze", "warlords"}


def test_the_games_are_the_emulators_roms_but_those_for_two_players() -> None:
    assert set(ATARI_GAMES) | FOR_TWO_PLAYERS == set(roms.get_all_rom_ids())
    assert not set(ATARI_GAMES) & FOR_TWO_PLAYERS


@pytest.mark.parametrize("game", ["pong", "adventure", "star_gunner", "atlantis2"])
def test_a_game_opens_with_18_actions_and_grey_frames(game: str) -> None:
    group = opened(atari_task(game), 2)
    assert (group.num_actions, group.frame_shape, group.frame_dtype) == (18, (84, 84), np.uint8)
    assert (group.low, group.high) == (None, None)
    frames = group.reset()
    assert (frames.shape, frames.dtype) == ((2, 84, 84), np.uint8)
    assert len(np.unique(frames)) > 2
    group.close()


def test_frames_are_the_larger_of_the_last_two_of_four_shrunk_by_area() -> None:
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path("breakout"))
    group = opened(atari_task(no_op_max=0))
    group.reset()
    rows, columns = _by_area(210), _by_area(160)
    for action in random_actions(group, 60)[:, 0]:
        reward, grey, colour = 0, [], []
        for _ in range(4):
            reward += ale.act(int(action))
            grey.append(ale.getScreenGrayscale())
            colour.append(ale.getScreenRGB())
        step = group.step(np.array([action]))
        picture = group.render()
        assert picture is not None
        assert np.array_equal(picture, np.maximum(*colour[-2:]))
        np.testing.assert_allclose(step.frames[0], rows @ np.maximum(*grey[-2:]) @ columns.T, atol=0.51)
        assert step.rewards[0] == reward


def _by_area(size: int) -> NDArray[np.float64]:
    """[84, size]: how much of every row of pixels lies in each of 84 equal parts; rows sum to 1."""
    edges = np.linspace(0, size, 85)
    at = np.arange(size)
    shared = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return np.maximum(shared, 0.0) * 84 / size


def test_no_ops_shift_the_start_of_episodes() -> None:
    starts = opened(atari_task("freeway"), 12).reset()
    assert len({frame.tobytes() for frame in starts}) > 3
    same = opened(atari_task("freeway", no_op_max=0), 4).reset()
    assert len({frame.tobytes() for frame in same}) == 1


def test_rewards_are_not_clipped_here() -> None:
    group = opened(atari_task("assault"), 4)
    group.reset()
    rewards = {float(value) for step in play(group, random_actions(group, 150)) for value in step.rewards}
    assert max(rewards) > 1.0


def test_a_lost_life_only_cuts_bootstrapping_in_training() -> None:
    told = opened(atari_task(), 2, for_training=True)
    whole = opened(atari_task(), 2, for_training=False)
    left_out = opened(atari_task(lost_life_ends=False), 2, for_training=True)
    actions = random_actions(told, 400)
    first = told.reset()
    assert np.array_equal(first, whole.reset())
    left_out.reset()
    num_lives_lost = num_over = 0
    for one, other, third in zip(play(told, actions), play(whole, actions), play(left_out, actions), strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.rewards, other.rewards)
        assert np.array_equal(one.over, other.over)
        assert np.array_equal(other.terminated, other.over)
        assert np.array_equal(third.terminated, other.terminated)
        assert np.all(one.terminated[one.over])
        num_lives_lost += int((one.terminated & ~one.over).sum())
        num_over += int(one.over.sum())
    assert num_over >= 2
    assert num_lives_lost >= 4 * num_over, "breakout has five lives"


def test_the_frame_limit_is_no_termination() -> None:
    group = opened(atari_task("pong", max_episode_frames=200, no_op_max=0), 2)
    first = group.reset()
    steps = play(group, random_actions(group, 120))
    ends = [number for number, step in enumerate(steps) if step.over.any()]
    assert len(ends) >= 2
    assert ends[0] == 49, "200 frames are 50 steps"
    for end in ends:
        assert steps[end].over.all()
        assert not steps[end].terminated.any()
        assert np.array_equal(steps[end].frames, first), "without no-ops all episodes begin alike"
        assert not np.array_equal(steps[end].final_frames, first)


def test_pictures_may_be_asked_for_at_any_time() -> None:
    often, once = opened(atari_task("pong", max_episode_frames=300), 2), opened(atari_task("pong", max_episode_frames=300), 2)
    often.reset()
    once.reset()
    actions = random_actions(often, 120)
    for row in actions:
        often.step(row)
        latest = often.render()
    play(once, actions)
    picture = once.render()
    assert latest is not None
    assert picture is not None
    assert np.array_equal(latest, picture)
    assert (picture.shape, picture.dtype) == ((210, 160, 3), np.uint8)
    once.reset()
    again = once.render()
    assert again is not None
    assert not np.array_equal(again, picture)
    once.close()
    often.close()
