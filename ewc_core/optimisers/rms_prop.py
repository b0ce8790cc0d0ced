"""RMSProp as `torch.optim` has it, with a proximal step of its own size per coordinate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.consolidation import Penalty
from ewc_core.consolidation.interface import AdaptiveSizes
from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.optimisers.optimiser import Step, load_into
from ewc_core.params import FlatParameters


class RMSProp:
    """v ← α v + (1 − α) g²; θ ← θ − lr · g / (√v + eps); α = 0.99, eps = 1e-8, not centred."""

    ALPHA = 0.99
    EPS = 1e-8

    def __init__(self, parameters: FlatParameters, *, learning_rate: float) -> None:
        self._parameters = parameters
        self.learning_rate = learning_rate
        self._num_steps = 0
        self._squares = torch.zeros_like(parameters.values)
        self._scratch = torch.empty_like(parameters.values)
        self._weight = KeptWeight()

    def step(self) -> None:
        """One step."""
        gradient = self._parameters.gradient
        self._num_steps += 1
        self._squares.mul_(self.ALPHA).addcmul_(gradient, gradient, value=1.0 - self.ALPHA)
        torch.sqrt(self._squares, out=self._scratch)
        self._parameters.values.addcdiv_(gradient, self._scratch.add_(self.EPS), value=-self.learning_rate)

    def forget_penalty(self) -> None:
        """Make the weight of the proximal step anew at the next one."""
        self._weight.forget()

    def proximal(self, penalty: Penalty) -> Step:
        """Step size per coordinate, lr / (√v + eps), as the data step has it."""
        follow = penalty.adaptive_step(self._weight)

        def step() -> None:
            self.step()
            follow(self._parameters.values, AdaptiveSizes(self._num_steps, self.learning_rate, self._squares, self.EPS))

        return step

    def state(self) -> dict[str, Tensor]:
        """The mean of squares, the number of steps, and the weight of the proximal step if there is one."""
        return {"squares": self._squares, "step": torch.tensor(self._num_steps, dtype=torch.int64), **self._weight.state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy of `state`."""
        weight = self._weight.blank_state(state, like=self._parameters.values)
        num_steps = torch.zeros((), dtype=torch.int64)
        load_into({"squares": self._squares, "step": num_steps, **weight}, state)
        self._num_steps = int(num_steps)
        self._weight.load_state(weight, num_steps=self._num_steps, learning_rate=self.learning_rate)
