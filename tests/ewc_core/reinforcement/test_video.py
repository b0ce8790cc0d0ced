"""Recorded episodes: what is on the pictures, and that they become a film."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.reinforcement.video import record_episode, side_by_side, to_gif
from tests.ewc_core.reinforcement.environments.play import atari_task, gymnasium_task


def follow(states: Tensor) -> Tensor:
    """Q-values of an agent that keeps its paddle below the ball of Catch."""
    board = states[:, -1]
    ball, paddle = board[:, :-1].flatten(1).argmax(1) % 5, board[:, -1].argmax(1)
    return torch.nn.functional.one_hot(1 + torch.sign(ball - paddle), 3).float()


def flee(states: Tensor) -> Tensor:
    """Q-values of one that always goes left."""
    return torch.tensor([[1.0, 0.0, 0.0]]).expand(len(states), 3)


def test_an_episode_of_catch_shows_every_step_of_it() -> None:
    episode = record_episode(gymnasium_task(), follow, history=1, exploration_epsilon=0.0, seed=4)
    assert (episode.total_reward, episode.num_steps, episode.is_complete) == (1.0, 9, True)
    boards = episode.pictures[:, 8::16, 8::16, 0]
    assert boards.shape == (9, 10, 5)
    rows = [board[:-1].max(axis=1).argmax() for board in boards]
    assert rows == list(range(9)), "the ball falls a row a picture"
    assert boards[0, -1].argmax() == 2


def test_two_networks_are_shown_on_the_same_game() -> None:
    one, other = (record_episode(gymnasium_task(), policy, history=1, exploration_epsilon=0.0) for policy in (follow, flee))
    assert np.array_equal(one.pictures[0], other.pictures[0])
    again = record_episode(gymnasium_task(), follow, history=1, exploration_epsilon=0.0)
    assert np.array_equal(one.pictures, again.pictures)
    games = {record_episode(gymnasium_task(), flee, history=1, seed=seed).pictures[0].tobytes() for seed in range(12)}
    assert len(games) > 1


def test_an_episode_that_is_cut_says_so() -> None:
    episode = record_episode(gymnasium_task(), follow, history=2, max_steps=4, keep_every=2)
    assert (episode.num_steps, episode.is_complete, episode.total_reward) == (4, False, 0.0)
    assert len(episode.pictures) == 3


def test_atari_is_recorded_in_colour() -> None:
    def noop(states: Tensor) -> Tensor:
        assert states.shape == (1, 4, 84, 84)
        return torch.eye(18)[:1]

    episode = record_episode(atari_task("freeway"), noop, history=4, max_steps=20, keep_every=10)
    assert episode.pictures.shape == (3, 210, 160, 3)
    assert not np.array_equal(episode.pictures[..., 0], episode.pictures[..., 1])
    assert not np.array_equal(episode.pictures[0], episode.pictures[1]), "cars move"


@pytest.mark.skipif(importlib.util.find_spec("pygame") is not None, reason="with pygame the game draws itself")
def test_a_game_that_cannot_be_drawn_for_want_of_a_package_says_which() -> None:
    with pytest.raises(SpecError, match=r"'CartPole-v1' cannot be drawn: .*pygame"):
        record_episode(gymnasium_task("CartPole-v1"), flee, history=1, max_steps=2)


def test_a_gif_holds_the_pictures_at_their_pace() -> None:
    episode = record_episode(gymnasium_task(), follow, history=1, exploration_epsilon=0.0, seed=4)
    film = Image.open(io.BytesIO(to_gif(episode.pictures, pictures_per_second=10)))
    assert (film.format, film.size, film.info["loop"]) == ("GIF", (80, 160), 0)
    durations = []
    for number in range(film.n_frames):  # type: ignore[attr-defined]  # missing in Pillow's types
        film.seek(number)
        durations.append(film.info["duration"])
        assert np.array_equal(np.asarray(film.convert("RGB")), episode.pictures[number])
    assert durations == [100] * 9


def test_small_pictures_are_enlarged() -> None:
    film = Image.open(io.BytesIO(to_gif(np.zeros((1, 10, 5, 3), dtype=np.uint8))))
    assert film.size == (80, 160)


def test_before_and_after_stand_beside_each_other() -> None:
    left, right = np.full((2, 6, 5, 3), 10, dtype=np.uint8), np.full((4, 6, 5, 3), 20, dtype=np.uint8)
    left[1] = 11
    both = side_by_side(left, right)
    assert both.shape == (4, 6, 14, 3)
    assert [int(picture[0, 0, 0]) for picture in both] == [10, 11, 11, 11]
    assert np.all(both[:, :, 9:] == 20)
    assert np.all(both[:, :, 5:9] == 255)
