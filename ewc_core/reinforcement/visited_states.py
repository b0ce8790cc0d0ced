"""The states that an agent sees when it plays: what its Fisher and the change of its Q-values are means over."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.reinforcement.analysed_agent import AnalysedAgent
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.exploration import choose_actions
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.seeding import derive_seed, generator

NUM_STATES = 1000
"""States that a Fisher is a mean over where the question does not say."""
_NUM_COPIES = 8


def visited_states(agent: AnalysedAgent, task: int, *, num_states: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two halves of `num_states` stacks [n, history, *frame_shape], drawn evenly from those met in 8 games that are played
    side by side, of which every half has 4: no state of one half comes from an episode of the other.

    The network plays the task selected, as an evaluation plays it: with its first exploration epsilon, and no longer than its
    `max_steps`. Games go on with new episodes until each has finished one and enough states were met. Nothing is learned.
    """
    evaluation = agent.evaluation
    random = generator(seed, "visited-states", task)
    halves = [_Sample(num_states - num_states // 2, random), _Sample(num_states // 2, random)]
    ended = np.zeros(_NUM_COPIES, dtype=bool)
    with held(agent.environments(task, num_envs=_NUM_COPIES, seed=derive_seed(seed, "visited", task))) as games:
        now = games.reset()
        stack = FrameStack(_NUM_COPIES, games.frame_shape, games.frame_dtype, history=agent.history)
        stack.reset(now)
        for number in range(max(evaluation.max_steps, -(-2 * num_states // _NUM_COPIES))):
            if ended.all() and number * _NUM_COPIES >= num_states + 1:
                break
            for copy in range(_NUM_COPIES):
                halves[copy % 2].offer(stack.stacked[copy])
            values = agent.q_values(torch.from_numpy(stack.stacked))
            step = games.step(choose_actions(values, evaluation.exploration_epsilons[0], random))
            ended |= step.over
            stack.push(step.frames, step.over)
    first, second = (torch.from_numpy(np.stack(half.kept)) for half in halves)
    return first, second


class _Sample:
    """An even sample of `size` of everything offered so far (reservoir sampling)."""

    def __init__(self, size: int, random: torch.Generator) -> None:
        self._size, self._random, self._num_offered = size, random, 0
        self.kept: list[NDArray[np.generic]] = []

    def offer(self, state: NDArray[np.generic]) -> None:
        self._num_offered += 1
        if len(self.kept) < self._size:
            self.kept.append(state.copy())
            return
        place = int(torch.randint(self._num_offered, (), generator=self._random))
        if place < self._size:
            self.kept[place] = state.copy()
