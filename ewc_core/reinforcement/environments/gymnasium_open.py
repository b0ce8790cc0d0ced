"""From an id of gymnasium to an environment that an agent can play."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import load_env_creator
from numpy.typing import NDArray

from ewc_core.errors import EnvironmentFailed, SpecError
from ewc_core.reinforcement.environments import catch, minatar
from ewc_core.reinforcement.environments.installed import registered_id
from ewc_core.specs.environments import MINATAR, GymnasiumTask
from ewc_core.user_code import passed_users_code, shown, told, users_code

Environment = gymnasium.Env[Any, Any]
MAX_ACTIONS = 2**15
"""As many as a replay can number."""
_NUM_COLOURS = (1, 3, 4)


@dataclass(frozen=True)
class FrameFormat:
    """How an environment's observations [*observed] become frames, and what these look like; bounds for float32 only."""

    convert: Callable[[NDArray[Any]], NDArray[Any]]
    observed: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None


def open_environment(task: GymnasiumTask) -> Environment:
    """One environment, which can draw itself if it offers `rgb_array`.

    Raises:
        SpecError: gymnasium does not know the id, or it does not take these options.
        EnvironmentFailed: its own code raised, or a package that could offer it cannot be loaded.
    """
    catch.register()
    if task.id.startswith(MINATAR):
        minatar.register()
    name, failures = registered_id(task.id)
    options = {**_drawing(_entry(task, name, failures)), **task.options}
    field = "options" if task.options else "id"
    what = f"environment {task.id!r} cannot be opened with options {task.options}: it"
    try:
        with warnings.catch_warnings():
            if task.id.startswith(MINATAR):  # whose v1 has fewer actions; it is no newer version of v0
                warnings.filterwarnings("ignore", message=".*out of date")
            environment = gymnasium.make(name, disable_env_checker=True, max_episode_steps=task.max_episode_steps, **options)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Without a frame of its own it was not reached: then the options are at fault.
        kind = EnvironmentFailed if passed_users_code(error.__traceback__) else SpecError
        raise kind(f"{what} {told(error)}", field=field) from error
    return minatar.MinAtarEnvironment(environment) if task.id.startswith(MINATAR) else environment


def num_actions_of(task: GymnasiumTask, environment: Environment) -> int:
    """Number of the environment's own actions.

    Raises:
        SpecError: its actions are not numbered from 0, or too many.
    """
    space = environment.action_space
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise SpecError(f"environment {task.id!r} has actions {space}; an agent needs Discrete actions from 0", field="id")
    if space.n > MAX_ACTIONS:
        raise SpecError(f"environment {task.id!r} has {space.n} actions, at most {MAX_ACTIONS} can be played", field="id")
    return int(space.n)


def to_frames(task: GymnasiumTask, environment: Environment) -> FrameFormat:
    """How its observations become frames: uint8 as they are, colours moved to the front, everything else to float32.

    Raises:
        SpecError: its observations are not arrays, or empty ones.
    """
    space = environment.observation_space
    if not isinstance(space, spaces.Box):
        raise SpecError(f"environment {task.id!r} has observations {space}; an agent needs arrays (Box)", field="id")
    if 0 in space.shape:
        raise SpecError(f"environment {task.id!r} has observations of shape {list(space.shape)}, which hold nothing", field="id")
    if space.dtype != np.uint8:
        with np.errstate(over="ignore"):  # bounds of float64 that float32 does not reach are none
            low, high = space.low.astype(np.float32), space.high.astype(np.float32)
        return FrameFormat(_floats, space.shape, space.shape, np.dtype(np.float32), low, high)
    if len(space.shape) == 3 and space.shape[-1] in _NUM_COLOURS and space.shape[0] not in _NUM_COLOURS:
        return FrameFormat(_colours_first, space.shape, (space.shape[2], *space.shape[:2]), np.dtype(np.uint8))
    return FrameFormat(_bytes, space.shape, space.shape, np.dtype(np.uint8))


def _entry(task: GymnasiumTask, name: str, failures: Sequence[EnvironmentFailed]) -> Any:
    try:
        entry = gymnasium.spec(name).entry_point
    except gymnasium.error.Error as error:
        near = difflib.get_close_matches(name, list(gymnasium.registry), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        why = "".join(f"; {failure}" for failure in failures)
        kind = EnvironmentFailed if failures else SpecError
        raise kind(f"gymnasium knows no environment {task.id!r}{hint}{why}", field="id") from error
    if not isinstance(entry, str):
        return entry
    with users_code(f"environment {task.id!r} cannot be loaded: it", failed=EnvironmentFailed, field="id"):
        try:
            return load_env_creator(entry)
        except ImportError as error:
            said = f"environment {task.id!r} needs a package that is not installed: {shown(str(error))}"
            raise EnvironmentFailed(said, field="id") from error


def _drawing(entry: Any) -> dict[str, str]:
    modes = getattr(entry, "metadata", {}).get("render_modes", [])
    return {"render_mode": "rgb_array"} if "rgb_array" in modes else {}


def _colours_first(observation: NDArray[Any]) -> NDArray[np.uint8]:
    return np.moveaxis(_bytes(observation), -1, 0)


def _bytes(observation: NDArray[Any]) -> NDArray[np.uint8]:
    if observation.dtype == np.uint8:
        return observation
    if observation.min(initial=0) < 0 or observation.max(initial=0) > 255 or (observation % 1).any():
        raise ValueError(f"numbers from {observation.min():g} to {observation.max():g}, expected whole ones from 0 to 255")
    return observation.astype(np.uint8)


def _floats(observation: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 does not reach is infinite there
        frames = observation.astype(np.float32)
    if not np.isfinite(frames).all():
        raise ValueError(f"{observation[~np.isfinite(frames)].flat[0]}, expected finite numbers")
    return frames
