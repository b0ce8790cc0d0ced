"""How often an agent acts at random."""

from __future__ import annotations

from ewc_core.specs.agent import ExplorationSpec


def exploration_epsilon(spec: ExplorationSpec, num_steps: int) -> float:
    """The probability of a random action after `num_steps` agent steps in a task."""
    if num_steps <= spec.start_steps:
        return spec.initial
    if num_steps >= spec.end_steps:
        return spec.final
    share = (num_steps - spec.start_steps) / (spec.end_steps - spec.start_steps)
    return spec.initial + share * (spec.final - spec.initial)
