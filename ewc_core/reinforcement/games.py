"""What a job's tasks look like to its agents, and what a return is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ewc_core.errors import SpecError
from ewc_core.mistakes import Mistakes
from ewc_core.reinforcement.agent import Frames
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.specs.environments import AtariTask, EnvironmentSpec, GymnasiumTask


def frames_of(tasks: Sequence[EnvironmentSpec]) -> Frames:
    """The frames that all tasks share, and the number of actions of the one with most; every environment is opened
    once, reset, and a step made in it.

    Bounds of float frames are the widest of all tasks.

    Raises:
        SpecError: environments are unknown, their frames differ from the first task's, or their code raised or gave what it
            must not give (EnvironmentFailed): all of it at once; `field` says what is wrong first.
    """
    mistakes = Mistakes()
    found: dict[int, Frames] = {}
    for index, task in enumerate(tasks):
        with mistakes.noted():
            frames = found[index] = _tried(index, task)
            first = min(found)
            if (frames.shape, frames.dtype) != (found[first].shape, found[first].dtype):
                raise SpecError(
                    f"task {task.title!r} has frames {frames.shape} {frames.dtype}, the task {tasks[first].title!r} "
                    f"has {found[first].shape} {found[first].dtype}; one network plays them all",
                    field=f"tasks.{index}",
                )
    mistakes.require_none()
    return _widest(list(found.values()))


def _widest(found: Sequence[Frames]) -> Frames:
    lows = [frames.low for frames in found if frames.low is not None]
    highs = [frames.high for frames in found if frames.high is not None]
    return Frames(
        found[0].shape,
        found[0].dtype,
        num_actions=max(frames.num_actions for frames in found),
        action_repeat=max(frames.action_repeat for frames in found),
        low=np.minimum.reduce(lows) if len(lows) == len(found) else None,
        high=np.maximum.reduce(highs) if len(highs) == len(found) else None,
    )


def _tried(index: int, task: EnvironmentSpec) -> Frames:
    """What the frames of task `index` look like, after a reset and a step in its environment."""
    try:
        return _frames(task)
    except SpecError as error:
        error.field = f"tasks.{index}.{error.field}"
        raise


def _frames(task: EnvironmentSpec) -> Frames:
    with held(make_environments(task, num_envs=1, seed=0)) as group:
        if isinstance(task, GymnasiumTask):
            group.reset()
            group.step(np.zeros(1, dtype=np.int64))
        repeat = task.action_repeat if isinstance(task, AtariTask) else 1
        return Frames(group.frame_shape, group.frame_dtype, group.num_actions, repeat, group.low, group.high)


def score_of(task: EnvironmentSpec, mean_return: float) -> float:
    """The mean return on the scale of the task's reference, h = (return − random) / (human − random), where it has one with
    both ends; else the return itself. Not clipped."""
    reference = task.reference_scores
    return mean_return if reference is None else reference.normalised(mean_return)
