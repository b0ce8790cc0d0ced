"""MinAtar's games (Young and Tian 2019), of the optional package minatar: grids of 10x10 with up to 10 channels."""

from __future__ import annotations

import colorsys
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ewc_core.errors import SpecError
from ewc_core.specs.environments import MINATAR, MINATAR_CHANNELS

_BLOCK = 16
_COLOURS = np.array(
    [
        (0, 0, 0),
        *([round(255 * part) for part in colorsys.hsv_to_rgb(i / MINATAR_CHANNELS, 0.6, 1.0)] for i in range(MINATAR_CHANNELS)),
    ],
    dtype=np.uint8,
)


class MinAtarEnvironment(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Observations uint8 [10, 10, 10], channels first, 255 where something is and the missing channels empty, so that one
    network can play all games. A reset with a seed makes everything after it follow from the actions, sticky ones included."""

    def __init__(self, environment: gymnasium.Env[Any, Any]) -> None:
        super().__init__(environment)
        height, width, _ = environment.observation_space.shape or (0, 0, 0)
        self.observation_space = spaces.Box(0, 255, (MINATAR_CHANNELS, height, width), np.uint8)
        self._game: Any = environment.unwrapped.game  # type: ignore[attr-defined]  # minatar has no types

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """A new episode."""
        self._game.last_action = 0  # the package lets the last action of an episode stick in the next one
        observation, info = self.env.reset(seed=seed, options=options)
        return _padded(observation), info

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """One step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return _padded(observation), float(reward), bool(terminated), bool(truncated), info

    def render(self) -> NDArray[np.uint8]:
        """The grid, one colour per channel, every cell as a block of 16x16."""
        channels = _padded(self._game.state()) > 0
        shown = np.where(channels.any(axis=0), MINATAR_CHANNELS - channels[::-1].argmax(axis=0), 0)
        return np.repeat(np.repeat(_COLOURS[shown], _BLOCK, axis=0), _BLOCK, axis=1)


def register() -> None:
    """Make the ids of MinAtar known to gymnasium; again is harmless.

    Raises:
        SpecError: the package is not installed.
    """
    try:
        from minatar.gym import register_envs
    except ImportError as error:
        raise SpecError(
            "environments of MinAtar need the package minatar: pip install 'ewc-service[minatar]'", field="id"
        ) from error
    if not any(name.startswith(MINATAR) for name in gymnasium.registry):
        register_envs()


def _padded(observation: NDArray[np.bool_]) -> NDArray[np.uint8]:
    frame = np.zeros((MINATAR_CHANNELS, *observation.shape[:2]), dtype=np.uint8)
    frame[: observation.shape[2]] = np.moveaxis(observation, 2, 0) * np.uint8(255)
    return frame
