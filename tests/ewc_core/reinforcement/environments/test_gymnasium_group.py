"""Environments of gymnasium: frames, ends, and what cannot be played."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pydantic import ValidationError

from ewc_core.errors import SpecError
from ewc_core.reinforcement.environments.gymnasium_open import MAX_ACTIONS
from tests.ewc_core.reinforcement.environments.play import gymnasium_task, opened, play, random_actions

MINATAR_GAMES = ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")


class Odd(gymnasium.Env[Any, Any]):
    """Observations and actions as told; every episode is cut by nothing."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (gymnasium's own attribute)

    def __init__(self, observations: spaces.Space[Any], actions: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observations, actions
        observations.seed(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """A first observation."""
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Another observation."""
        return self.observation_space.sample(), 0.0, False, False, {}


@pytest.fixture
def odd() -> Iterator[str]:
    """The id of an environment whose spaces are options."""
    gymnasium.register("test/Odd-v0", entry_point=Odd)
    yield "test/Odd-v0"
    del gymnasium.registry["test/Odd-v0"]


@pytest.mark.parametrize(("environment_id", "size"), [("CartPole-v1", 4), ("Acrobot-v1", 6)])
def test_classic_control_has_float_frames_within_its_bounds(environment_id: str, size: int) -> None:
    group = opened(gymnasium_task(environment_id), 3)
    assert (group.frame_shape, group.frame_dtype) == ((size,), np.float32)
    assert group.low is not None
    assert group.high is not None
    frames = np.stack([group.reset(), *(step.final_frames for step in play(group, random_actions(group, 200)))])
    assert frames.dtype == np.float32
    assert frames.shape == (201, 3, size)
    assert np.all(frames >= group.low)
    assert np.all(frames <= group.high)


def test_a_time_limit_is_no_termination() -> None:
    group = opened(gymnasium_task("CartPole-v1", max_episode_steps=5), 2)
    first = group.reset()
    steps = play(group, np.array([[0, 1], [1, 0]] * 5))
    assert [step.over.tolist() for step in steps] == ([[False, False]] * 4 + [[True, True]]) * 2
    assert not any(step.terminated.any() for step in steps)
    assert not np.array_equal(steps[4].frames, steps[4].final_frames)
    assert np.abs(steps[4].frames).max() <= 0.05, "the frames to act on are the first of new episodes"
    assert not np.array_equal(steps[4].frames, first)


def test_a_fall_is_a_termination() -> None:
    group = opened(gymnasium_task("CartPole-v1"), 1)
    group.reset()
    steps = play(group, np.zeros((30, 1), dtype=np.int64))
    ended = [step for step in steps if step.over[0]]
    assert len(ended) >= 2
    assert all(step.terminated[0] for step in ended)
    assert all(abs(step.final_frames[0, 2]) > 0.2 for step in ended), "the pole's angle where the episode ended"


def test_every_copy_and_every_episode_has_a_seed_of_its_own() -> None:
    group = opened(gymnasium_task("CartPole-v1"), 2)
    firsts = [*group.reset()]
    firsts += [step.frames[0] for step in play(group, np.zeros((60, 2), dtype=np.int64)) if step.over[0]]
    assert len({tuple(frame) for frame in firsts}) == len(firsts) > 5


@pytest.mark.parametrize(
    ("environment_id", "hint"), [("CartPol-v1", "did you mean CartPole-v1"), ("no/Such-v0", "knows no"), ("a b", "knows no")]
)
def test_an_id_that_does_not_exist_is_refused_with_suggestions(environment_id: str, hint: str) -> None:
    with pytest.raises(SpecError, match=hint) as caught:
        opened(gymnasium_task(environment_id))
    assert caught.value.field == "id"


def test_an_id_cannot_name_a_module_to_import() -> None:
    with pytest.raises(ValidationError, match="names a module to import"):
        gymnasium_task("antigravity:CartPole-v1")


def test_continuous_actions_are_refused() -> None:
    with pytest.raises(SpecError, match="needs Discrete actions") as caught:
        opened(gymnasium_task("Pendulum-v1"))
    assert caught.value.field == "id"


def test_actions_that_do_not_begin_at_0_are_refused(odd: str) -> None:
    with pytest.raises(SpecError, match="needs Discrete actions from 0"):
        opened(gymnasium_task(odd, options={"observations": spaces.Box(0, 1, (2,)), "actions": spaces.Discrete(3, start=1)}))


def test_more_actions_than_a_replay_can_number_are_refused(odd: str) -> None:
    def with_actions(num: int) -> Any:
        return gymnasium_task(odd, options={"observations": spaces.Box(0, 1, (2,)), "actions": spaces.Discrete(num)})

    assert opened(with_actions(MAX_ACTIONS)).num_actions == MAX_ACTIONS == np.iinfo(np.int16).max + 1
    with pytest.raises(SpecError, match="has 32769 actions, at most 32768 can be played") as caught:
        opened(with_actions(MAX_ACTIONS + 1))
    assert caught.value.field == "id"


def test_observations_without_a_number_are_refused(odd: str) -> None:
    with pytest.raises(SpecError, match=r"has observations of shape \[3, 0\], which hold nothing"):
        opened(gymnasium_task(odd, options={"observations": spaces.Box(0, 1, (3, 0)), "actions": spaces.Discrete(2)}))


def test_dict_observations_are_refused(odd: str) -> None:
    observations = spaces.Dict({"position": spaces.Box(0, 1, (2,))})
    with pytest.raises(SpecError, match=r"needs arrays \(Box\)") as caught:
        opened(gymnasium_task(odd, options={"observations": observations, "actions": spaces.Discrete(2)}))
    assert caught.value.field == "id"


@pytest.mark.parametrize(
    "options", [{"no_such_option": 1}, {"max_episode_steps": 3}, {"vector_kwargs": {}, "goal_velocity": "x"}]
)
def test_options_that_an_environment_does_not_take_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="cannot be opened with options") as caught:
        opened(gymnasium_task("MountainCar-v0", options=options))
    assert caught.value.field == "options"


def test_colours_come_first(odd: str) -> None:
    options = {"observations": spaces.Box(0, 255, (20, 30, 3), np.uint8), "actions": spaces.Discrete(2)}
    group = opened(gymnasium_task(odd, options=options), 2)
    assert group.frame_shape == (3, 20, 30)
    twin = Odd(spaces.Box(0, 255, (20, 30, 3), np.uint8), spaces.Discrete(2))
    assert np.array_equal(group.reset()[0], np.moveaxis(twin.reset()[0], -1, 0))


def test_bounds_beyond_float32_are_infinite(odd: str) -> None:
    observations = spaces.Box(-np.finfo(np.float64).max, 7.0, (2,), np.float64)
    group = opened(gymnasium_task(odd, options={"observations": observations, "actions": spaces.Discrete(2)}))
    assert group.low is not None
    assert group.high is not None
    assert (group.low.tolist(), group.high.tolist()) == ([-np.inf] * 2, [7.0] * 2)


@pytest.mark.parametrize("game", MINATAR_GAMES)
def test_minatar_is_padded_to_ten_channels(game: str) -> None:
    pytest.importorskip("minatar")
    group = opened(gymnasium_task(f"MinAtar/{game}-v0"), 2)
    assert (group.frame_shape, group.frame_dtype, group.num_actions) == ((10, 10, 10), np.uint8, 6)
    frames = np.concatenate([group.reset(), *(step.frames for step in play(group, random_actions(group, 100)))])
    used = {"Asterix": 4, "Breakout": 4, "Freeway": 7, "Seaquest": 10, "SpaceInvaders": 6}[game]
    assert set(np.unique(frames)) == {0, 255}
    assert frames[:, :used].any()
    assert not frames[:, used:].any()
    picture = group.render()
    assert picture is not None
    assert (picture.shape, picture.dtype) == ((160, 160, 3), np.uint8)
    now = group.restore(group.capture())
    assert np.array_equal(picture[8::16, 8::16].any(axis=2), now[0].any(axis=0))


def test_minatar_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.partition(".")[0] == "minatar":
            raise ImportError(name)
        return imported(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SpecError, match=r"pip install 'ewc-service\[minatar\]'") as caught:
        opened(gymnasium_task("MinAtar/Breakout-v0"))
    assert caught.value.field == "id"
