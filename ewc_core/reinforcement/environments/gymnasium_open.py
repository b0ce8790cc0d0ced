"""From an id of gymnasium to an environment that an agent can play."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import load_env_creator
from numpy.typing import NDArray

from ewc_core.errors import SpecError
from ewc_core.reinforcement.environments import catch, minatar
from ewc_core.specs.environments import MINATAR, GymnasiumTask

Environment = gymnasium.Env[Any, Any]
_NUM_COLOURS = (1, 3, 4)


@dataclass(frozen=True)
class FrameFormat:
    """How an environment's observations become frames, and what these look like; bounds for float32 only."""

    convert: Callable[[Any], NDArray[Any]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None


def open_environment(task: GymnasiumTask) -> Environment:
    """One environment, which can draw itself if it offers `rgb_array`.

    Raises:
        SpecError: gymnasium does not know the id, or it cannot be opened with these options.
    """
    catch.register()
    if task.id.startswith(MINATAR):
        minatar.register()
    options = {**_drawing(_entry(task)), **task.options}
    try:
        with warnings.catch_warnings():
            if task.id.startswith(MINATAR):  # whose v1 has fewer actions; it is no newer version of v0
                warnings.filterwarnings("ignore", message=".*out of date")
            environment = gymnasium.make(task.id, disable_env_checker=True, max_episode_steps=task.max_episode_steps, **options)
    except Exception as error:  # what an environment's constructor raises is its own affair
        raise SpecError(
            f"environment {task.id!r} cannot be opened with options {task.options}: {type(error).__name__}: {error}",
            field="options" if task.options else "id",
        ) from error
    return minatar.MinAtarEnvironment(environment) if task.id.startswith(MINATAR) else environment


def num_actions_of(task: GymnasiumTask, environment: Environment) -> int:
    """Number of the environment's own actions.

    Raises:
        SpecError: its actions are not numbered from 0.
    """
    space = environment.action_space
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise SpecError(f"environment {task.id!r} has actions {space}; an agent needs Discrete actions from 0", field="id")
    return int(space.n)


def to_frames(task: GymnasiumTask, environment: Environment) -> FrameFormat:
    """How its observations become frames: uint8 as they are, colours moved to the front, everything else to float32.

    Raises:
        SpecError: its observations are not arrays.
    """
    space = environment.observation_space
    if not isinstance(space, spaces.Box):
        raise SpecError(f"environment {task.id!r} has observations {space}; an agent needs arrays (Box)", field="id")
    if space.dtype != np.uint8:
        with np.errstate(over="ignore"):  # bounds of float64 that float32 does not reach are none
            low, high = space.low.astype(np.float32), space.high.astype(np.float32)
        return FrameFormat(_floats, space.shape, np.dtype(np.float32), low, high)
    if len(space.shape) == 3 and space.shape[-1] in _NUM_COLOURS and space.shape[0] not in _NUM_COLOURS:
        return FrameFormat(_colours_first, (space.shape[2], *space.shape[:2]), np.dtype(np.uint8))
    return FrameFormat(np.asarray, space.shape, np.dtype(np.uint8))


def _entry(task: GymnasiumTask) -> Any:
    try:
        entry = gymnasium.spec(task.id).entry_point
        return load_env_creator(entry) if isinstance(entry, str) else entry
    except gymnasium.error.Error as error:
        near = difflib.get_close_matches(task.id, list(gymnasium.registry), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise SpecError(f"gymnasium knows no environment {task.id!r}{hint}", field="id") from error
    except ImportError as error:
        raise SpecError(f"environment {task.id!r} needs a package that is not installed: {error}", field="id") from error


def _drawing(entry: Any) -> dict[str, str]:
    modes = getattr(entry, "metadata", {}).get("render_modes", [])
    return {"render_mode": "rgb_array"} if "rgb_array" in modes else {}


def _colours_first(observation: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(observation, -1, 0)


def _floats(observation: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(observation, dtype=np.float32)
