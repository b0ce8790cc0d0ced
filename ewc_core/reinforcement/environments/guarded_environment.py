"""One environment of gymnasium under guard: what its code raises, or gives and must not give, is told as the environment's."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ewc_core.errors import EnvironmentFailed, SpecError
from ewc_core.reinforcement.environments.gymnasium_open import num_actions_of, open_environment, to_frames
from ewc_core.specs.environments import GymnasiumTask
from ewc_core.user_code import shown, users_code

_NUMBERS = "biuf"  # numpy's kinds of booleans, integers and floats


class GuardedEnvironment:
    """An environment whose observations come as frames. Every method raises EnvironmentFailed for what is the environment's."""

    def __init__(self, task: GymnasiumTask) -> None:
        """Open it.

        Raises:
            SpecError: as `open_environment`, `num_actions_of` and `to_frames`.
        """
        self._name = f"environment {task.id!r}"
        self._environment = open_environment(task)
        with users_code(f"{self._name}: asked for its spaces, it", failed=EnvironmentFailed, field="id"):
            _ = self._environment.action_space, self._environment.observation_space
        self.num_actions = num_actions_of(task, self._environment)
        self.frames = to_frames(task, self._environment)

    def reset(self, seed: int) -> NDArray[Any]:
        """The first frame of a new episode."""
        with users_code(f"{self._name}: its reset(seed={seed})", failed=EnvironmentFailed, field="id"):
            returned = self._environment.reset(seed=seed)
            space = self._environment.action_space
        if not (isinstance(returned, tuple) and len(returned) == 2):
            raise self._failed(f"its reset() returned {_kind(returned)}, expected (observation, info)")
        if getattr(space, "n", None) != self.num_actions:
            raise self._failed(f"after reset() its actions are {space}, and were {self.num_actions} before")
        return self._frame(returned[0], "reset()")

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        """The next frame, the reward, whether the episode came to its end, and whether it was cut."""
        with users_code(f"{self._name}: its step({action})", failed=EnvironmentFailed, field="id"):
            returned = self._environment.step(action)
        if not (isinstance(returned, tuple) and len(returned) == 5):
            raise self._failed(
                f"its step() returned {_kind(returned)}, expected (observation, reward, terminated, truncated, info)"
            )
        observation, reward, terminated, truncated, _ = returned
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            if not (isinstance(value, bool | np.bool_ | int | np.integer) and value in (0, 1)):
                raise self._failed(f"its step() returned {name} {shown(repr(value))}, expected True or False")
        return self._frame(observation, "step()"), self._reward(reward), bool(terminated), bool(truncated)

    def render(self) -> NDArray[np.uint8] | None:
        """A picture [height, width, 3]; None where it does not offer `rgb_array`.

        Raises:
            SpecError: it needs a package for that which is not installed.
        """
        if self._environment.render_mode != "rgb_array":
            return None
        try:
            with users_code(f"{self._name}: its render()", failed=EnvironmentFailed, field="id"):
                drawn = np.asarray(self._environment.render())
        except EnvironmentFailed as failed:
            if isinstance(failed.__cause__, gymnasium.error.DependencyNotInstalled):
                raise SpecError(f"{self._name} cannot be drawn: {shown(str(failed.__cause__))}", field="id") from failed
            raise
        if drawn.dtype.kind not in _NUMBERS or drawn.ndim != 3 or drawn.shape[2] != 3:
            raise self._failed(f"its render() returned {_kind(drawn)}, expected a picture [height, width, 3]")
        return drawn.astype(np.uint8)

    def close(self) -> None:
        """Let go of it."""
        with users_code(f"{self._name}: its close()", failed=EnvironmentFailed, field="id"):
            self._environment.close()

    def _frame(self, observation: Any, source: str) -> NDArray[Any]:
        with users_code(f"{self._name}: the observation of its {source}", failed=EnvironmentFailed, field="id"):
            array = np.asarray(observation)
        if array.dtype.kind not in _NUMBERS or array.shape != self.frames.observed:
            raise self._failed(
                f"its {source} returned as observation {_kind(observation)}, expected numbers of shape "
                f"{list(self.frames.observed)}, which its observation_space gives"
            )
        try:
            return self.frames.convert(array)
        except ValueError as error:
            raise self._failed(f"the observation of its {source} holds {error}") from error

    def _reward(self, reward: Any) -> float:
        is_number = isinstance(reward, int | float | np.number | np.bool_) or (
            isinstance(reward, np.ndarray) and reward.size == 1 and reward.dtype.kind in _NUMBERS
        )
        try:
            value = float(np.asarray(reward).item()) if is_number else math.nan
        except (TypeError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            raise self._failed(f"its step() returned reward {shown(repr(reward))}, expected a finite number")
        return value

    def _failed(self, what: str) -> EnvironmentFailed:
        return EnvironmentFailed(f"{self._name}: {what}", field="id")


def _kind(value: Any) -> str:
    """What a value is, for messages: its type, and shape or length where it has one."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"{type(value).__name__} of {getattr(value, 'dtype', 'unknown type')} and shape {list(shape)}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple | list | dict) else type(value).__name__
