"""Adam, whose proximal step has a size of its own per coordinate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.adam import adam

from ewc_core.consolidation import Penalty
from ewc_core.consolidation.interface import AdaptiveSizes
from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.optimisers.optimiser import Step, load_into
from ewc_core.params import FlatParameters


class Adam:
    """Adam (β = 0.9, 0.999; eps = 1e-8) as one fused kernel over the flat parameters."""

    BETAS = (0.9, 0.999)
    EPS = 1e-8

    def __init__(self, parameters: FlatParameters, *, learning_rate: float) -> None:
        self._parameters = parameters
        self.learning_rate = learning_rate
        self._state: dict[str, Tensor] = {
            "step": torch.zeros((), dtype=torch.float32),
            "exp_avg": torch.zeros_like(parameters.values),
            "exp_avg_sq": torch.zeros_like(parameters.values),
        }
        self._weight = KeptWeight()

    @torch.no_grad()
    def step(self) -> None:
        """One step. `learning_rate` is the step size before Adam's scaling."""
        adam(
            [self._parameters.values],
            [self._parameters.gradient],
            [self._state["exp_avg"]],
            [self._state["exp_avg_sq"]],
            [],
            [self._state["step"]],
            fused=True,
            amsgrad=False,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=self.EPS,
            maximize=False,
        )

    def forget_penalty(self) -> None:
        """Make the weight of the proximal step anew at the next one."""
        self._weight.forget()

    def proximal(self, penalty: Penalty) -> Step:
        """Step size per coordinate, lr / (√v̂ + eps), as the data step has it."""
        follow = penalty.adaptive_step(self._weight)

        def step() -> None:
            self.step()
            num_steps = int(self._state["step"])
            correction = 1.0 - self.BETAS[1] ** num_steps
            follow(
                self._parameters.values,
                AdaptiveSizes(num_steps, self.learning_rate, self._state["exp_avg_sq"], self.EPS, correction),
            )

        return step

    def state(self) -> dict[str, Tensor]:
        """Both moments, the number of steps, and the weight of the proximal step if there is one."""
        return {**self._state, **self._weight.state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy of `state`."""
        weight = self._weight.blank_state(state, like=self._parameters.values)
        load_into({**self._state, **weight}, state)
        self._weight.load_state(weight, num_steps=int(self._state["step"]), learning_rate=self.learning_rate)
