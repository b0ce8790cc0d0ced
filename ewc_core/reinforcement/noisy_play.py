"""An agent that plays on noisy weights: another draw at every step, as in figure 4C of Kirkpatrick et al. 2017."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ewc_core.params import FlatParameters
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.exploration import choose_actions
from ewc_core.reinforcement.frame_stack import FrameStack

Values = Callable[[Tensor], Tensor]


def noisy_return(
    game: EnvironmentGroup,
    q_values: Values,
    parameters: FlatParameters,
    deviations: Tensor,
    *,
    history: int,
    exploration_epsilon: float,
    max_steps: int,
    noise: torch.Generator,
    actions: torch.Generator,
) -> float:
    """The return of one whole episode of `game`, a group of one copy, cut after `max_steps` steps.

    At every step the parameters are their own plus Gaussian noise with `deviations` [num_parameters], drawn anew in float32,
    which takes a fifth of the time of float64.
    `q_values` of stacks [1, history, *frame_shape] read the parameters. They are put back at the end; mutates both
    generators.
    """
    anchor, spread = parameters.values.clone(), deviations.to(parameters.values.dtype)
    stack = FrameStack(1, game.frame_shape, game.frame_dtype, history=history)
    stack.reset(game.reset())
    total = 0.0
    try:
        for _ in range(max_steps):
            normals = torch.randn(len(spread), generator=noise, dtype=spread.dtype)
            torch.addcmul(anchor, spread, normals, out=parameters.values)
            step = game.step(choose_actions(q_values(torch.from_numpy(stack.stacked)), exploration_epsilon, actions))
            total += float(step.rewards[0])
            if step.over[0]:
                break
            stack.push(step.frames, step.over)
    finally:
        parameters.values.copy_(anchor)
    return total


def values_of(q_values: Values, states: Tensor, at_once: int) -> Tensor:
    """Q-values [n, num_actions] of states [n, ...], so many at once."""
    return torch.cat([q_values(part) for part in torch.split(states, at_once)])


def change_of_values(q_values: Values, states: Tensor, reference: Tensor, at_once: int) -> float:
    """½ Σ_a (Q(s, a) − Q₀(s, a))², mean over the states: the loss of which ½ Σ F Var is the second order, F that of N(Q, 1).

    `states` [n, ...], so many at once; `reference` Q₀ [n, num_actions]; in float64.
    """
    change = values_of(q_values, states, at_once).double() - reference.double()
    return 0.5 * float(change.square().sum()) / len(states)
