"""What an agent plays in: copies of one task's environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class EnvironmentStep:
    """What came of one action in every copy; all arrays have `num_envs` entries.

    `frames` are to be acted on next: the first of a new episode where one is `over`. `rewards` are float64, not clipped.
    Nothing may be bootstrapped from the next state where `terminated`: the episode came to its end, or a life was lost that
    counts as an end (then the episode is not over). `final_frames` are the last ones of episodes that are over, else equal
    to `frames`.
    """

    frames: NDArray[Any]
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    over: NDArray[np.bool_]
    final_frames: NDArray[Any]


class EnvironmentGroup(Protocol):
    """`num_envs` copies of an environment, with single frames [num_envs, *frame_shape] of `frame_dtype` (uint8 or float32).

    Every episode begins with a seed of its own and follows from its actions (on Atari several may share one). So the state
    of a copy is which seed, and the actions taken since, and `restore` plays them again: exact for every environment that
    is deterministic given a reset with a seed and the actions, at the cost of replaying the current episodes.
    """

    num_envs: int
    num_actions: int
    frame_shape: tuple[int, ...]
    frame_dtype: np.dtype[Any]
    low: NDArray[np.float32] | None
    high: NDArray[np.float32] | None

    def reset(self) -> NDArray[Any]:
        """Begin a new episode in every copy; returns its first frames."""

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """Take one action in every copy. Actions from `num_actions` of the environment itself on count as action 0."""

    def capture(self) -> dict[str, Tensor]:
        """Everything needed to go on bit for bit."""

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[Any]:
        """Go on from what `capture` gave; returns the frames to act on next. Raises StateFormatError when it does not fit."""

    def render(self) -> NDArray[np.uint8] | None:
        """A picture [height, width, 3] of copy 0; None where the environment cannot draw itself.

        Raises:
            SpecError: it can, but needs a package that is not installed.
        """

    def close(self) -> None:
        """Let go of everything."""
