"""Permuted control: the same game with its pixels and its buttons shuffled, once and for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.derived_seed import derive_seed
from ewc_core.reinforcement.environments.group import EnvironmentGroup, EnvironmentStep


def fixed_permutation(number: int, what: str, size: int) -> NDArray[np.int64]:
    """One permutation of `size` things, the same everywhere; `number` 0 leaves all in place."""
    if number == 0:
        return np.arange(size)
    return np.random.default_rng(derive_seed(0, "permuted-control", what, number)).permutation(size)


class PermutedGroup:
    """Shuffles the entries of a group's frames, and which action does what among the environment's own."""

    def __init__(self, group: EnvironmentGroup, permutation: int, *, own_actions: int) -> None:
        self._group = group
        self.num_envs, self.num_actions = group.num_envs, group.num_actions
        self.frame_shape, self.frame_dtype = group.frame_shape, group.frame_dtype
        self._entries = fixed_permutation(permutation, "entries", int(np.prod(self.frame_shape)))
        self._actions = np.arange(max(own_actions, group.num_actions))
        self._actions[:own_actions] = fixed_permutation(permutation, "actions", own_actions)
        self.low = None if group.low is None else group.low.reshape(-1)[self._entries].reshape(self.frame_shape)
        self.high = None if group.high is None else group.high.reshape(-1)[self._entries].reshape(self.frame_shape)

    def reset(self) -> NDArray[Any]:
        """As the group's, shuffled."""
        return self._shuffled(self._group.reset())

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """As the group's, shuffled."""
        step = self._group.step(self._actions[actions])
        frames = self._shuffled(step.frames)
        final = frames if step.final_frames is step.frames else self._shuffled(step.final_frames)
        return replace(step, frames=frames, final_frames=final)

    def capture(self) -> dict[str, Tensor]:
        """As the group's."""
        return self._group.capture()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[Any]:
        """As the group's, shuffled."""
        return self._shuffled(self._group.restore(state))

    def render(self) -> NDArray[np.uint8] | None:
        """The game as it is without the shuffling."""
        return self._group.render()

    def close(self) -> None:
        """As the group's."""
        self._group.close()

    def _shuffled(self, frames: NDArray[Any]) -> NDArray[Any]:
        return frames.reshape(len(frames), -1)[:, self._entries].reshape(frames.shape)
