"""Centred RMSProp with eps inside the root, as the paper's agents have it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.consolidation import Penalty
from ewc_core.optimisers.optimiser import Step, load_into
from ewc_core.params import FlatParameters

_CHUNK = 2**18
"""So many parameters at a time: what one operation wrote is still in the cache when the next reads it."""


class CentredRMSProp:
    """n ← ρn + (1−ρ)g²;  m ← ρm + (1−ρ)g;  θ ← θ − lr · g / √(n − m² + eps), with eps inside the root.

    `torch.optim.RMSprop` adds eps outside. With a loss that is a mean over 32 examples, eps = 0.01 / 32² is the paper's 0.01
    for a sum.
    """

    def __init__(self, parameters: FlatParameters, *, learning_rate: float, decay: float, eps: float) -> None:
        self.learning_rate = learning_rate
        self._decay, self._eps = decay, eps
        self._squares = torch.zeros_like(parameters.values)
        self._mean = torch.zeros_like(parameters.values)
        self._divisor = torch.empty_like(parameters.values)
        self._chunks = _chunks(parameters.values, parameters.gradient, self._squares, self._mean, self._divisor)

    def step(self) -> None:
        """One step on the parameters from the gradient as it is."""
        for chunk in self._chunks:
            self._step_on(*chunk)

    def forget_penalty(self) -> None:
        """Nothing is kept from one penalty to the next."""

    def proximal(self, penalty: Penalty) -> Step:
        """The data step, then the implicit step with its own size per coordinate, η = lr / √(n − m² + eps), chunk by chunk."""
        follow = penalty.divided_step()

        def step() -> None:
            start = 0
            for chunk in self._chunks:
                follow(start, chunk[0], self._step_on(*chunk), self.learning_rate)
                start += _CHUNK

        return step

    def _step_on(self, values: Tensor, gradient: Tensor, squares: Tensor, mean: Tensor, divisor: Tensor) -> Tensor:
        squares.mul_(self._decay).addcmul_(gradient, gradient, value=1.0 - self._decay)
        mean.lerp_(gradient, 1.0 - self._decay)
        # n − m² is a variance; rounding may leave it a little below 0, which eps outweighs only where it is not tiny.
        torch.addcmul(squares, mean, mean, value=-1.0, out=divisor)
        divisor.clamp_min_(0.0).add_(self._eps).sqrt_()
        values.addcdiv_(gradient, divisor, value=-self.learning_rate)
        return divisor

    def state(self) -> dict[str, Tensor]:
        """Both moments."""
        return {"squares": self._squares, "mean": self._mean}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy of `state`. Raises StateFormatError when names, shapes or dtypes are not those of `state()`."""
        load_into(self.state(), state)


def _chunks(*vectors: Tensor) -> list[tuple[Tensor, ...]]:
    return list(zip(*(torch.split(vector, _CHUNK) for vector in vectors), strict=True))
