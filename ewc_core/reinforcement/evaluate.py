"""How well an agent plays a task, without learning from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ewc_core.fisher.memory import examples_at_once
from ewc_core.reinforcement.agent import Agent
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.exploration import choose_actions
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs.reinforcement import GameEvaluationSpec, ReinforcementSpec

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


def play_task(agent: Agent, task_index: int, games: GameBook, spec: ReinforcementSpec) -> list[GameScore]:
    """One score per exploration epsilon of `spec.evaluation`. All episodes of one epsilon are played side by side.

    The agent plays under the label that it recognises in a few steps of random play beforehand. Nothing of it changes. The
    environments are opened anew each time, so that the episodes of every epsilon begin alike, whoever plays them.
    """
    evaluation = spec.evaluation
    seed = derive_seed(spec.seed, "evaluation", task_index)
    label = _look(agent, task_index, games, evaluation, seed=seed)
    scores = []
    with agent.learner.tasks.temporarily(label):
        for epsilon in evaluation.exploration_epsilons:
            with held(games.evaluation_environment(task_index, evaluation.num_episodes)) as environment:
                stack = FrameStack(evaluation.num_episodes, games.frames.shape, games.frames.dtype, history=spec.agent.history)
                random = generator(seed, "evaluation", str(epsilon))
                returns = _episodes(agent, environment, stack, epsilon, random, max_steps=evaluation.max_steps)
            scores.append(GameScore(epsilon, returns, label))
    return scores


def details_of(scores: Sequence[GameScore]) -> dict[str, object]:
    """What an evaluation says of one task beside its score: the label it was played under, and the mean return by epsilon."""
    return {"label": scores[0].label, "returns": {f"{score.exploration_epsilon:g}": score.mean for score in scores}}


def _look(agent: Agent, task_index: int, games: GameBook, evaluation: GameEvaluationSpec, *, seed: int) -> int:
    if agent.is_told:
        return task_index
    random = np.random.default_rng(seed)
    looks = []
    with held(games.evaluation_environment(task_index, _NUM_LOOKED_AT)) as environment:
        now = environment.reset()
        for step in range(evaluation.num_look_steps):
            looks.append(now[step % len(now)].copy())
            now = environment.step(random.integers(environment.num_actions, size=len(now))).frames
    return agent.identify(looks, announced=task_index)


def _episodes(
    agent: Agent,
    environment: EnvironmentGroup,
    stack: FrameStack,
    epsilon: float,
    random: torch.Generator,
    *,
    max_steps: int,
) -> tuple[float, ...]:
    """The return of the first episode of every copy, cut after `max_steps` steps."""
    now = environment.reset()
    stack.reset(now)
    returns, running = np.zeros(len(now)), np.ones(len(now), dtype=bool)
    q_values = agent.learner.q_values
    size = examples_at_once(agent.learner.network, torch.from_numpy(stack.stacked[:3]), most=len(now))
    for _ in range(max_steps):
        values = [q_values(part) for part in torch.split(torch.from_numpy(stack.stacked), size)]
        actions = choose_actions(torch.cat(values), epsilon, random)
        step = environment.step(actions)
        returns += step.rewards * running
        running &= ~step.over
        if not running.any():
            break
        stack.push(step.frames, step.over)
    return tuple(returns.tolist())
