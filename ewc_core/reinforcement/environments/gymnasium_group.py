"""Any environment of gymnasium, in copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import EnvironmentFailed
from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.reinforcement.environments.guarded_environment import GuardedEnvironment
from ewc_core.specs.environments import GymnasiumTask


class GymnasiumGroup:
    """`num_envs` environments of one id, each with episodes of its own seeds."""

    def __init__(self, task: GymnasiumTask, num_envs: int, *, num_actions: int | None, seed: int) -> None:
        """Open the environments.

        Raises:
            SpecError: an unknown id, options that it does not take, or observations or actions that an agent cannot play with.
            EnvironmentFailed: its own code raised.
        """
        self._environments = [GuardedEnvironment(task) for _ in range(num_envs)]
        first = self._environments[0]
        self.own_actions = first.num_actions
        self.num_envs, self.num_actions = num_envs, num_actions or self.own_actions
        self.frame_shape: tuple[int, ...] = first.frames.shape
        self.frame_dtype: np.dtype[Any] = first.frames.dtype
        self.low, self.high = first.frames.low, first.frames.high
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
            frames[copy], rewards[copy], ended, cut = environment.step(self._own(int(actions[copy])))
            terminated[copy], over[copy] = ended, ended or cut
        final = frames
        if over.any():
            final = frames.copy()
            for copy in np.flatnonzero(over).tolist():
                frames[copy] = self._begin(copy)
        return EnvironmentStep(frames, rewards, terminated, over, final)

    def capture(self) -> dict[str, Tensor]:
        """The episodes."""
        return self._episodes.state()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[Any]:
        """Play the current episodes again."""
        self._episodes.load_state(state)
        frames = np.empty((self.num_envs, *self.frame_shape), dtype=self.frame_dtype)
        for copy, environment in enumerate(self._environments):
            frame = environment.reset(self._episodes.seed_of(copy))
            for action in self._episodes.actions[copy]:
                frame = environment.step(self._own(action))[0]
            frames[copy] = frame
        return frames

    def render(self) -> NDArray[np.uint8] | None:
        """A picture of copy 0, where the environment offers `rgb_array`.

        Raises:
            SpecError: it needs a package for that which is not installed.
            EnvironmentFailed: its own code raised.
        """
        return self._environments[0].render()

    def close(self) -> None:
        """Close all environments."""
        failures = []
        for environment in self._environments:
            try:
                environment.close()
            except EnvironmentFailed as failed:
                failures.append(failed)
        if failures:
            raise failures[0]

    def _begin(self, copy: int) -> NDArray[Any]:
        return self._environments[copy].reset(self._episodes.begin(copy))

    def _own(self, action: int) -> int:
        return action if action < self.own_actions else 0
