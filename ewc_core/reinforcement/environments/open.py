"""From a task's spec to the environments that it names."""

from __future__ import annotations

from ewc_core.reinforcement.environments.atari_group import AtariGroup
from ewc_core.reinforcement.environments.catch import NUM_ACTIONS as CATCH_ACTIONS
from ewc_core.reinforcement.environments.catch import CatchGroup
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.gymnasium_group import GymnasiumGroup
from ewc_core.reinforcement.environments.permuted import PermutedGroup
from ewc_core.specs.environments import CATCH, AtariTask, EnvironmentSpec


def make_environments(
    task: EnvironmentSpec, *, num_envs: int, seed: int, num_actions: int | None = None, for_training: bool = True
) -> EnvironmentGroup:
    """`num_envs` copies of a task's environment, whose episodes follow from `seed`.

    `num_actions` is the number of actions of the network, where it has more than the environment: those count as action 0.

    Raises:
        SpecError: the environment is unknown, or cannot be played by an agent; `field` says which part of the task is at fault.
    """
    if isinstance(task, AtariTask):
        return AtariGroup(task, num_envs, num_actions=num_actions, seed=seed, for_training=for_training)
    group: EnvironmentGroup
    if task.id == CATCH and not task.options and task.max_episode_steps is None:
        own_actions = CATCH_ACTIONS
        group = CatchGroup(num_envs, num_actions=num_actions or own_actions, seed=seed)
    else:
        opened = GymnasiumGroup(task, num_envs, num_actions=num_actions, seed=seed)
        own_actions, group = opened.own_actions, opened
    return PermutedGroup(group, task.permutation, own_actions=own_actions) if task.permutation else group
