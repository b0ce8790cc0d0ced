"""Groups of environments for the tests of this folder, and random play in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ewc_core.reinforcement.environments.group import EnvironmentGroup, EnvironmentStep
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.specs.environments import AtariTask, GymnasiumTask

CATCH = "ewc/Catch-v0"


def gymnasium_task(environment_id: str = CATCH, **fields: Any) -> GymnasiumTask:
    """A task of gymnasium."""
    return GymnasiumTask.model_validate({"kind": "gymnasium", "id": environment_id, **fields})


def atari_task(game: str = "breakout", **fields: Any) -> AtariTask:
    """A task of the emulator."""
    return AtariTask.model_validate({"kind": "atari", "game": game, **fields})


def opened(task: AtariTask | GymnasiumTask, num_envs: int = 1, *, seed: int = 0, **options: Any) -> EnvironmentGroup:
    """Environments of a task."""
    return make_environments(task, num_envs=num_envs, seed=seed, **options)


def random_actions(group: EnvironmentGroup, num_steps: int, *, seed: int = 0) -> NDArray[np.int64]:
    """[num_steps, num_envs], every action alike."""
    return np.random.default_rng(seed).integers(group.num_actions, size=(num_steps, group.num_envs))


def play(group: EnvironmentGroup, actions: NDArray[np.int64]) -> list[EnvironmentStep]:
    """What came of the actions."""
    return [group.step(row) for row in actions]


def assert_same(found: Sequence[EnvironmentStep], expected: Sequence[EnvironmentStep]) -> None:
    """Bit for bit the same steps."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in ("frames", "rewards", "terminated", "over", "final_frames"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
