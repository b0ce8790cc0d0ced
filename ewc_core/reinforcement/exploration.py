"""How often an agent acts at random, and what it does then."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.specs.agent import ExplorationSpec


def exploration_epsilon(spec: ExplorationSpec, num_steps: int) -> float:
    """The probability of a random action after `num_steps` agent steps in a task."""
    if num_steps <= spec.start_steps:
        return spec.initial
    if num_steps >= spec.end_steps:
        return spec.final
    share = (num_steps - spec.start_steps) / (spec.end_steps - spec.start_steps)
    return spec.initial + share * (spec.final - spec.initial)


def choose_actions(q_values: Tensor, epsilon: float, random: torch.Generator) -> NDArray[np.int64]:
    """Per row of Q-values [n, num_actions] the best action, or with probability `epsilon` any, each alike."""
    num_rows, num_actions = q_values.shape
    explore = torch.rand(num_rows, generator=random) < epsilon
    anything = torch.randint(num_actions, (num_rows,), generator=random)
    actions: NDArray[np.int64] = torch.where(explore, anything, q_values.argmax(dim=1)).numpy()
    return actions
