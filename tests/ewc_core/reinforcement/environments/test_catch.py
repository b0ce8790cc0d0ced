"""Catch: the array version against the environment of gymnasium, the rules, and random play by counting."""

from __future__ import annotations

from fractions import Fraction

import gymnasium
import numpy as np
import pytest

from ewc_core.reinforcement.environments.catch import NUM_COLUMNS, NUM_ROWS, CatchEnvironment, first_column, register
from ewc_core.specs.environments import CATCH
from tests.ewc_core.reinforcement.environments.play import gymnasium_task, opened, play, random_actions


def test_random_play_has_the_return_of_the_reference() -> None:
    where = {NUM_COLUMNS // 2: Fraction(1)}
    for _ in range(NUM_ROWS - 1):
        moved: dict[int, Fraction] = {}
        for paddle, probability in where.items():
            for move in (-1, 0, 1):
                to = min(max(paddle + move, 0), NUM_COLUMNS - 1)
                moved[to] = moved.get(to, Fraction(0)) + probability / 3
        where = moved
    caught = sum((probability * Fraction(1, NUM_COLUMNS) for probability in where.values()), Fraction(0))
    reference = gymnasium_task().reference_scores
    assert reference is not None
    assert float(2 * caught - 1) == pytest.approx(reference.random, abs=1e-12)


def test_random_play_of_the_environment_agrees_with_the_count() -> None:
    group = opened(gymnasium_task(), 500)
    group.reset()
    steps = play(group, random_actions(group, 9 * 20))
    returns = np.array([step.rewards[step.over].sum() for step in steps]).sum() / sum(step.over.sum() for step in steps)
    assert returns == pytest.approx(-0.6, abs=3 * 0.8 / np.sqrt(500 * 20))


def test_an_episode_takes_nine_steps_and_pays_only_at_its_end() -> None:
    group = opened(gymnasium_task(), 3)
    group.reset()
    steps = play(group, random_actions(group, 18))
    assert [step.over.all() for step in steps] == ([False] * 8 + [True]) * 2
    for step in steps:
        assert np.array_equal(step.terminated, step.over)
        assert set(np.abs(step.rewards)) == ({1.0} if step.over.all() else {0.0})


def test_a_paddle_that_follows_the_ball_catches_all() -> None:
    group = opened(gymnasium_task(), 8)
    frames = group.reset()
    total = 0.0
    for _ in range(9 * 5):
        ball, paddle = frames[:, :-1].argmax(axis=2).max(axis=1), frames[:, -1].argmax(axis=1)
        step = group.step(1 + np.sign(ball - paddle))
        frames, total = step.frames, total + step.rewards.sum()
    assert total == 8 * 5


def test_the_arrays_play_as_the_registered_environment_does() -> None:
    group = opened(gymnasium_task(), 1, seed=3)
    register()
    environment = gymnasium.make(CATCH)
    frames = group.reset()
    for episode in range(6):
        seed = next(seed for seed in range(1000) if first_column(seed) == frames[0, 0].argmax())
        observation, _ = environment.reset(seed=seed)
        assert np.array_equal(observation, frames[0])
        for actions in random_actions(group, 9, seed=episode):
            step = group.step(actions)
            observation, reward, terminated, truncated, _ = environment.step(actions[0])
            assert np.array_equal(observation, step.final_frames[0])
            assert (reward, terminated, truncated) == (step.rewards[0], step.terminated[0], False)
        frames = step.frames


def test_a_seed_gives_the_same_games_and_another_seed_others() -> None:
    def columns(seed: int) -> list[int]:
        group = opened(gymnasium_task(), 4, seed=seed)
        firsts = [group.reset()]
        firsts += [step.frames for step in play(group, random_actions(group, 90)) if step.over.all()]
        return [int(frame[0].argmax()) for frames in firsts for frame in frames]

    assert columns(1) == columns(1)
    assert columns(1) != columns(2)
    assert set(columns(1)) == set(range(NUM_COLUMNS))


def test_the_picture_shows_ball_and_paddle_in_blocks() -> None:
    group = opened(gymnasium_task())
    board = group.reset()[0]
    picture = group.render()
    assert picture is not None
    assert picture.shape == (160, 80, 3)
    assert np.array_equal(picture[8::16, 8::16, 0], board)
    assert CatchEnvironment().render() is None
    environment = CatchEnvironment(render_mode="rgb_array")
    observation, _ = environment.reset(seed=0)
    drawn = environment.render()
    assert drawn is not None
    assert np.array_equal(drawn[8::16, 8::16, 2], observation)
