"""Gradient descent, with or without momentum."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.consolidation import Penalty
from ewc_core.optimisers.optimiser import Step, load_into
from ewc_core.params import FlatParameters


class SGD:
    """v ← μv + g; θ ← θ − lr·v."""

    def __init__(self, parameters: FlatParameters, *, learning_rate: float, momentum: float) -> None:
        self._parameters = parameters
        self.learning_rate = learning_rate
        self._momentum = momentum
        self._velocity = torch.zeros_like(parameters.values) if momentum > 0.0 else None

    def step(self) -> None:
        """One step; with momentum the velocity is updated first."""
        direction = self._parameters.gradient
        if self._velocity is not None:
            direction = self._velocity.mul_(self._momentum).add_(direction)
        self._parameters.values.add_(direction, alpha=-self.learning_rate)

    def forget_penalty(self) -> None:
        """Nothing is kept from one penalty to the next."""

    def proximal(self, penalty: Penalty) -> Step:
        """Step size lr / (1 − μ): at rest v = g / (1 − μ), so only this η makes g + ∇penalty = 0 the fixed point."""
        follow = penalty.uniform_step()

        def step() -> None:
            self.step()
            follow(self._parameters.values, self.learning_rate / (1.0 - self._momentum))

        return step

    def state(self) -> dict[str, Tensor]:
        """The velocity, when there is momentum."""
        return {} if self._velocity is None else {"velocity": self._velocity}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy of `state`."""
        load_into(self.state(), state)
