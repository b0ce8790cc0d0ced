"""What a job's tasks look like to its agents, and what a return is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ewc_core.errors import SpecError
from ewc_core.metrics import ScoreName
from ewc_core.reinforcement.agent import Frames
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.specs.environments import AtariTask, EnvironmentSpec


def frames_of(tasks: Sequence[EnvironmentSpec]) -> Frames:
    """The frames that all tasks share, and the number of actions of the one with most; every environment is opened once.

    Bounds of float frames are the widest of all tasks.

    Raises:
        SpecError: an environment is unknown, or its frames differ from the first task's; `field` says which.
    """
    found: list[Frames] = []
    for index, task in enumerate(tasks):
        group = make_environments(task, num_envs=1, seed=0)
        try:
            repeat = task.action_repeat if isinstance(task, AtariTask) else 1
            found.append(Frames(group.frame_shape, group.frame_dtype, group.num_actions, repeat, group.low, group.high))
        finally:
            group.close()
        if (found[index].shape, found[index].dtype) != (found[0].shape, found[0].dtype):
            raise SpecError(
                f"task {task.title!r} has frames {found[index].shape} {found[index].dtype}, the first task {tasks[0].title!r} "
                f"has {found[0].shape} {found[0].dtype}; one network plays them all",
                field=f"tasks.{index}",
            )
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


def metric_of(task: EnvironmentSpec) -> ScoreName:
    """What `score_of` gives for this task."""
    return "return" if task.reference_scores is None else "normalised"


def score_of(task: EnvironmentSpec, mean_return: float) -> float:
    """The mean return on the scale of the task's reference, h = (return − random) / (human − random), where it has one with
    both ends; else the return itself. Not clipped."""
    reference = task.reference_scores
    return mean_return if reference is None else reference.normalised(mean_return)
