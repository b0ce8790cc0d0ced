"""Whether an environment plays an episode again from its seed and its actions: what going on after a pause rests on."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from ewc_core.random_states import random_states_kept
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.specs.environments import EnvironmentSpec

_NUM_STEPS = 8


def is_repeatable(task: EnvironmentSpec) -> bool:
    """Do what a job does that goes on: play an episode's beginning again in a new copy, and make one more step in both.

    Raises:
        EnvironmentFailed: the environment's code raised, or gave what it must not give.
    """
    with random_states_kept(), ExitStack() as stack:
        played, again = (stack.enter_context(held(make_environments(task, num_envs=1, seed=0))) for _ in range(2))
        played.reset()  # an episode before the one that counts, which may leave something behind
        now = played.reset()
        for number in range(_NUM_STEPS):
            now = played.step(np.array([number % played.num_actions])).frames
        if not np.array_equal(now, again.restore(played.capture())):
            return False
        ours, theirs = (group.step(np.zeros(1, dtype=np.int64)) for group in (played, again))
        return np.array_equal(ours.frames, theirs.frames) and np.array_equal(ours.rewards, theirs.rewards)
