"""Any environment of gymnasium, in copies."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.reinforcement.environments import catch
from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.specs.environments import MINATAR, GymnasiumTask

_MINATAR_CHANNELS = 10
Convert = Callable[[Any], NDArray[Any]]


class GymnasiumGroup:
    """`num_envs` environments of one id, each with episodes of its own seeds."""

    def __init__(self, task: GymnasiumTask, num_envs: int, *, num_actions: int | None, seed: int) -> None:
        """Open the environments.

        Raises:
            SpecError: an unknown id, options that it does not take, or observations or actions that an agent cannot play with.
        """
        self._environments = [_open(task) for _ in range(num_envs)]
        self._convert, space = _converter(task, self._environments[0])
        self.own_actions = _num_actions(task, self._environments[0])
        self.num_envs = num_envs
        self.num_actions = num_actions or self.own_actions
        self.frame_shape, self.frame_dtype = space.shape, space.dtype
        is_float = self.frame_dtype == np.float32
        self.low: NDArray[np.float32] | None = space.low if is_float else None
        self.high: NDArray[np.float32] | None = space.high if is_float else None
        self._episodes = Episodes(num_envs, seed=seed)

    def reset(self) -> NDArray[Any]:
        """Begin a new episode in every copy."""
        return np.stack([self._begin(copy) for copy in range(self.num_envs)])

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """Take one action in every copy."""
        self._episodes.note(actions)
        frames = np.empty((self.num_envs, *self.frame_shape), dtype=self.frame_dtype)
        rewards = np.zeros(self.num_envs)
        terminated, over = (np.zeros(self.num_envs, dtype=np.bool_) for _ in range(2))
        for copy, environment in enumerate(self._environments):
            observation, reward, ended, cut, _ = environment.step(self._own(int(actions[copy])))
            frames[copy], rewards[copy] = self._convert(observation), float(reward)
            terminated[copy], over[copy] = ended, ended or cut
        final = frames
        if over.any():
            final = frames.copy()
            for copy in np.flatnonzero(over):
                frames[copy] = self._begin(int(copy))
        return EnvironmentStep(frames, rewards, terminated, over, final)

    def capture(self) -> dict[str, Tensor]:
        """The episodes."""
        return self._episodes.state()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[Any]:
        """Play the current episodes again."""
        self._episodes.load_state(state)
        frames = np.empty((self.num_envs, *self.frame_shape), dtype=self.frame_dtype)
        for copy, environment in enumerate(self._environments):
            observation, _ = environment.reset(seed=self._episodes.seed_of(copy))
            for action in self._episodes.actions[copy]:
                observation = environment.step(self._own(action))[0]
            frames[copy] = self._convert(observation)
        return frames

    def render(self) -> NDArray[np.uint8] | None:
        """A picture of copy 0, where the environment offers `rgb_array`."""
        environment = self._environments[0]
        picture = environment.render() if environment.render_mode == "rgb_array" else None
        return None if picture is None else np.asarray(picture, dtype=np.uint8)

    def close(self) -> None:
        """Close all environments."""
        for environment in self._environments:
            environment.close()

    def _begin(self, copy: int) -> NDArray[Any]:
        observation, _ = self._environments[copy].reset(seed=self._episodes.begin(copy))
        return self._convert(observation)

    def _own(self, action: int) -> int:
        return action if action < self.own_actions else 0


def _open(task: GymnasiumTask) -> gymnasium.Env[Any, Any]:
    catch.register()
    if task.id.startswith(MINATAR):
        _register_minatar()
    try:
        rendering = "rgb_array" in (gymnasium.spec(task.id).entry_point and _render_modes(task.id))
        mode = {"render_mode": "rgb_array"} if rendering else {}
        return gymnasium.make(
            task.id, disable_env_checker=True, max_episode_steps=task.max_episode_steps, **{**mode, **task.options}
        )
    except gymnasium.error.UnregisteredEnv as error:
        near = difflib.get_close_matches(task.id, list(gymnasium.registry), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise SpecError(f"gymnasium knows no environment {task.id!r}{hint}", field="id") from error
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        raise SpecError(
            f"environment {task.id!r} cannot be opened with options {task.options}: {error}", field="options"
        ) from error


def _render_modes(environment_id: str) -> list[str]:
    entry = gymnasium.spec(environment_id).entry_point
    made = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    return list(getattr(made, "metadata", {}).get("render_modes", []))


def _register_minatar() -> None:
    try:
        from minatar.gym import register_envs
    except ImportError as error:
        raise SpecError(
            "environments of MinAtar need the package minatar: pip install 'ewc-service[minatar]'", field="id"
        ) from error
    if not any(name.startswith(MINATAR) for name in gymnasium.registry):
        register_envs()


def _num_actions(task: GymnasiumTask, environment: gymnasium.Env[Any, Any]) -> int:
    space = environment.action_space
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise SpecError(f"environment {task.id!r} has actions {space}; an agent needs Discrete actions from 0", field="id")
    return int(space.n)


def _converter(task: GymnasiumTask, environment: gymnasium.Env[Any, Any]) -> tuple[Convert, spaces.Box]:
    """How an observation becomes a frame, and the frames' space."""
    space = environment.observation_space
    if not isinstance(space, spaces.Box):
        raise SpecError(f"environment {task.id!r} has observations {space}; an agent needs arrays (Box)", field="id")
    if task.id.startswith(MINATAR):
        return _padded, spaces.Box(0, 255, (_MINATAR_CHANNELS, *space.shape[:2]), np.uint8)
    if space.dtype == np.uint8:
        return np.asarray, space
    return _floats, spaces.Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)


def _padded(observation: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """MinAtar's [height, width, channels] to uint8 [10, height, width], 255 where something is."""
    frame = np.zeros((_MINATAR_CHANNELS, *observation.shape[:2]), dtype=np.uint8)
    frame[: observation.shape[2]] = np.moveaxis(observation, 2, 0) * np.uint8(255)
    return frame


def _floats(observation: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(observation, dtype=np.float32)
