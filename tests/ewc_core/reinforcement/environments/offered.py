"""Environments as packages might offer them: `Grid` is as it should be, `Broken` wrong in the way that its option says."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

_STEP: dict[str, Any] = {
    "reward_nan": (np.zeros(3, np.float32), float("nan"), False, False, {}),
    "reward_text": (np.zeros(3, np.float32), "1.0", False, False, {}),
    "reward_array": (np.zeros(3, np.float32), np.zeros(2), False, False, {}),
    "terminated_none": (np.zeros(3, np.float32), 0.0, None, False, {}),
    "truncated_text": (np.zeros(3, np.float32), 0.0, False, "no", {}),
    "four_values": (np.zeros(3, np.float32), 0.0, False, {}),
    "other_shape": (np.zeros(4, np.float32), 0.0, False, False, {}),
    "a_scalar": (0.5, 0.0, False, False, {}),
    "a_text": ("up", 0.0, False, False, {}),
    "observation_nan": (np.array([0.0, np.nan, 0.0], np.float32), 0.0, False, False, {}),
}


class Grid(gymnasium.Env[Any, Any]):
    """A position on a line; an episode has ten steps."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (gymnasium's own attribute)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space, self.action_space = spaces.Box(-9, 9, (3,)), spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """The position that the seed gives."""
        super().reset(seed=seed)
        self._steps, self._place = 0, float(self.np_random.random())
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        """To the left or to the right."""
        self._steps += 1
        self._place += 2.0 * int(action) - 1.0
        return self._seen(), self._place, self._steps == 10, False, {}

    def render(self) -> Any:
        """A picture of one colour."""
        return np.zeros((4, 4, 3), np.uint8)

    def _seen(self) -> Any:
        return np.full(3, self._place, np.float32)


class Broken(Grid):
    """`what` names the fault, which shows after `after` steps."""

    def __init__(self, what: str, after: int = 0, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.what, self._left = what, after
        if what == "make":
            raise KeyError("no such level in /srv/levels/first.json")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """As Grid's, or not."""
        first = super().reset(seed=seed)
        if self.what == "reset":
            raise ZeroDivisionError("no place to begin")
        if self.what == "noise":
            self._place = random.SystemRandom().random()
            return self._seen(), {}
        if self.what == "reset_alone":
            return first[0]
        if self.what == "fewer_actions" and self._left <= 0:
            self.action_space = spaces.Discrete(1)
        return first

    def step(self, action: Any) -> Any:
        """As Grid's, or not."""
        self._left -= 1
        if self._left >= 0:
            return super().step(action)
        if self.what == "step":
            raise IndexError("off the grid")
        if self.what == "leaves":
            sys.exit(0)
        if self.what == "is_cancelled":
            raise asyncio.CancelledError("by a library of its own")
        return _STEP.get(self.what) or super().step(action)

    def render(self) -> Any:
        """As Grid's, or not."""
        if self.what == "render":
            raise OSError("no display")
        return None if self.what == "render_nothing" else super().render()

    def close(self) -> None:
        """As Grid's, or not."""
        if self.what == "close":
            raise OSError("cannot close")


def register() -> None:
    """What the entry point names."""
    gymnasium.register("Grid-v0", entry_point=Grid)
    gymnasium.register("full/Other-v0", entry_point=f"{__name__}:Grid")
    gymnasium.register("Broken-v0", entry_point=Broken)
    gymnasium.register("CartPole-v1", entry_point=Grid)
    gymnasium.register("Missing-v0", entry_point="a_package_that_is_not_there:Grid")
    gymnasium.register("Nothing-v0", entry_point=f"{__name__}:NoSuchClass")
