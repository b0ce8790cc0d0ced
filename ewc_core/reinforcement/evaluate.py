"""How well an agent plays a task, without learning from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from ewc_core.reinforcement.agent import Agent, Frames, choose_actions
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.seeding import generator
from ewc_core.specs.reinforcement import GameEvaluationSpec

_NUM_LOOKED_AT = 4
"""Copies of the game that an agent looks at in turn to tell which one it is."""


@dataclass(frozen=True)
class GameScore:
    """The returns of the episodes of one task at one exploration epsilon, and the label that the agent played under."""

    exploration_epsilon: float
    returns: tuple[float, ...]
    label: int

    @property
    def mean(self) -> float:
        """The mean return."""
        return sum(self.returns) / len(self.returns)


def play_task(
    agent: Agent,
    task_index: int,
    open_environment: Callable[[int], EnvironmentGroup],
    evaluation: GameEvaluationSpec,
    *,
    frames: Frames,
    history: int,
    seed: int,
) -> list[GameScore]:
    """One score per exploration epsilon. All episodes of one epsilon are played side by side; `seed` gives the actions.

    The agent plays under the label that it recognises in a few steps of random play beforehand. Nothing of it changes. The
    environments are opened anew each time, so that the episodes of every epsilon begin alike, whoever plays them.
    """
    label = _look(agent, task_index, open_environment, evaluation, seed=seed)
    scores = []
    with agent.learner.tasks.temporarily(label):
        for epsilon in evaluation.exploration_epsilons:
            with closing(open_environment(evaluation.num_episodes)) as environment:
                returns = _episodes(agent, environment, evaluation.max_steps, epsilon, frames=frames, history=history, seed=seed)
            scores.append(GameScore(epsilon, returns, label))
    return scores


def _look(
    agent: Agent,
    task_index: int,
    open_environment: Callable[[int], EnvironmentGroup],
    evaluation: GameEvaluationSpec,
    *,
    seed: int,
) -> int:
    if agent.is_told:
        return task_index
    random = np.random.default_rng(seed)
    looks = []
    with closing(open_environment(min(evaluation.num_episodes, _NUM_LOOKED_AT))) as environment:
        now = environment.reset()
        for step in range(evaluation.num_look_steps):
            looks.append(now[step % len(now)].copy())
            now = environment.step(random.integers(environment.num_actions, size=len(now))).frames
    return agent.identify(looks, announced=task_index)


def _episodes(
    agent: Agent,
    environment: EnvironmentGroup,
    max_steps: int,
    epsilon: float,
    *,
    frames: Frames,
    history: int,
    seed: int,
) -> tuple[float, ...]:
    """The return of the first episode of every copy, cut after `max_steps` steps."""
    random = generator(seed, "evaluation", str(epsilon))
    now = environment.reset()
    stack = FrameStack(len(now), frames.shape, frames.dtype, history=history)
    stack.reset(now)
    returns, running = np.zeros(len(now)), np.ones(len(now), dtype=bool)
    for _ in range(max_steps):
        actions = choose_actions(agent.learner.q_values(torch.from_numpy(stack.stacked)), epsilon, random)
        step = environment.step(actions)
        returns += step.rewards * running
        running &= ~step.over
        if not running.any():
            break
        stack.push(step.frames, step.over)
    return tuple(returns.tolist())
