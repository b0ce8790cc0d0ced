"""Permuted control: the same game, its pixels and its buttons shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ewc_core.reinforcement.environments.permuted import fixed_permutation
from tests.ewc_core.reinforcement.environments.play import CATCH, gymnasium_task, opened, play, random_actions


def test_permutation_0_leaves_all_in_place() -> None:
    assert fixed_permutation(0, "entries", 50).tolist() == list(range(50))
    plain, zero = opened(gymnasium_task(), 2), opened(gymnasium_task(permutation=0), 2)
    assert np.array_equal(plain.reset(), zero.reset())
    assert type(plain) is type(zero)


def test_a_permutation_is_the_same_in_every_job() -> None:
    assert fixed_permutation(1, "actions", 3).tolist() == [2, 1, 0]
    assert fixed_permutation(1, "entries", 6).tolist() == [3, 2, 0, 5, 4, 1]


def test_permutations_differ_from_task_to_task() -> None:
    made = {tuple(fixed_permutation(number, "entries", 50)) for number in range(9)}
    assert len(made) == 9


@pytest.mark.parametrize("environment_id", [CATCH, "CartPole-v1"])
def test_the_inverse_recovers_the_game(environment_id: str) -> None:
    plain = opened(gymnasium_task(environment_id), 3, seed=5)
    shuffled = opened(gymnasium_task(environment_id, permutation=7), 3, seed=5)
    size = int(np.prod(plain.frame_shape))
    entries = np.argsort(fixed_permutation(7, "entries", size))
    buttons = np.argsort(fixed_permutation(7, "actions", plain.num_actions))

    def back(frames: NDArray[Any]) -> NDArray[Any]:
        return frames.reshape(3, size)[:, entries].reshape(frames.shape)

    assert np.array_equal(back(shuffled.reset()), plain.reset())
    actions = random_actions(plain, 60)
    for one, other in zip(play(plain, actions), play(shuffled, buttons[actions]), strict=True):
        assert np.array_equal(back(other.frames), one.frames)
        assert np.array_equal(back(other.final_frames), one.final_frames)
        assert np.array_equal(other.rewards, one.rewards)
        assert np.array_equal(other.over, one.over)


def test_bounds_are_shuffled_with_the_entries() -> None:
    plain, shuffled = opened(gymnasium_task("Acrobot-v1")), opened(gymnasium_task("Acrobot-v1", permutation=2))
    entries = fixed_permutation(2, "entries", 6)
    assert plain.low is not None
    assert plain.high is not None
    assert shuffled.low is not None
    assert shuffled.high is not None
    assert np.array_equal(shuffled.low, plain.low[entries])
    assert np.array_equal(shuffled.high, plain.high[entries])
    assert len(set(plain.high.tolist())) > 1


def test_actions_beyond_the_environments_own_stay_no_ops() -> None:
    plain = opened(gymnasium_task(), 1, num_actions=6)
    shuffled = opened(gymnasium_task(permutation=4), 1, num_actions=6)
    plain.reset()
    shuffled.reset()
    for actions in ([5], [3], [4]):
        one = plain.step(np.array([0]))
        other = shuffled.step(np.array(actions))
        assert np.array_equal(np.sort(one.frames, axis=None), np.sort(other.frames, axis=None))
        assert np.array_equal(one.frames.reshape(-1)[fixed_permutation(4, "entries", 50)], other.frames.reshape(-1))


def test_the_picture_is_that_of_the_game_itself() -> None:
    plain, shuffled = opened(gymnasium_task()), opened(gymnasium_task(permutation=3))
    plain.reset()
    shuffled.reset()
    one, other = plain.render(), shuffled.render()
    assert one is not None
    assert other is not None
    assert np.array_equal(one, other)
