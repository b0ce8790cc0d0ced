"""Optimisers on the flat parameters, each with a proximal step whose fixed point is g + P(θ − m) = 0.

The penalty never enters an optimiser's moments when it is proximal: they are built from the data gradient alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam

from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.consolidation.merge import Quadratic
from ewc_core.consolidation.proximal import proximal_step, proximal_weight
from ewc_core.errors import StateFormatError
from ewc_core.params import FlatParameters
from ewc_core.specs import OptimiserName, TrainingSpec

Step = Callable[[], None]


class Optimiser(Protocol):
    """Steps on `FlatParameters` in place, from their gradient, at `learning_rate`, which may be set between steps."""

    learning_rate: float

    def step(self) -> None:
        """One step on the parameters from the gradient as it is."""

    def proximal(self, quadratic: Quadratic) -> Step:
        """What to call instead of `step`: the data step, then the implicit step on `quadratic` of the fitting size.

        Both steps are of the learning rate that is set when they are made.
        """

    def state(self) -> dict[str, Tensor]:
        """Copies of everything that the next step depends on."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`. Raises StateFormatError when names, shapes or dtypes are not those of `state()`."""


def make_optimiser(spec: TrainingSpec, parameters: FlatParameters) -> Optimiser:
    """A fresh optimiser."""
    if spec.optimiser is OptimiserName.ADAM:
        return Adam(parameters, learning_rate=spec.learning_rate)
    if spec.optimiser is OptimiserName.RMSPROP:
        return RMSProp(parameters, learning_rate=spec.learning_rate)
    return SGD(parameters, learning_rate=spec.learning_rate, momentum=spec.momentum)


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

    def proximal(self, quadratic: Quadratic) -> Step:
        """Step size lr / (1 − μ): at rest v = g / (1 − μ), so only this η makes g + P(θ − m) = 0 the fixed point."""
        made_for, weight = torch.nan, quadratic.precision

        def step() -> None:
            nonlocal made_for, weight
            self.step()
            if made_for != self.learning_rate:
                weight = proximal_weight(quadratic.precision, self.learning_rate / (1.0 - self._momentum))
                made_for = self.learning_rate
            proximal_step(self._parameters.values, quadratic.centre, weight)

        return step

    def state(self) -> dict[str, Tensor]:
        """The velocity, when there is momentum."""
        return {} if self._velocity is None else {"velocity": self._velocity.clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        _check_state(state, self.state())
        if self._velocity is not None:
            self._velocity.copy_(state["velocity"])


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
        self._weight = KeptWeight(eps=self.EPS)

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

    def forget_weight(self) -> None:
        """Compute the weight of the proximal step anew at the next one: what it was made for no longer holds."""
        self._weight.forget()

    def proximal(self, quadratic: Quadratic) -> Step:
        """Step size per coordinate, lr / (√v̂ + eps), as the data step has it; see `KeptWeight`."""

        def step() -> None:
            self.step()
            num_steps, squares = int(self._state["step"]), self._state["exp_avg_sq"]
            correction = 1.0 - self.BETAS[1] ** num_steps
            weight = self._weight.at(num_steps, quadratic, squares, learning_rate=self.learning_rate, bias_correction=correction)
            proximal_step(self._parameters.values, quadratic.centre, weight)

        return step

    def state(self) -> dict[str, Tensor]:
        """Both moments, the number of steps, and the weight of the proximal step if there is one."""
        return {**{name: tensor.clone() for name, tensor in self._state.items()}, **self._weight.state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        _check_state(state, {**self._state, **self._weight.blank_state(state, like=self._parameters.values)})
        for name, tensor in self._state.items():
            tensor.copy_(state[name])
        self._weight.load_state(state, num_steps=int(self._state["step"]), learning_rate=self.learning_rate)


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
        self._weight = KeptWeight(eps=self.EPS)

    def step(self) -> None:
        """One step."""
        gradient = self._parameters.gradient
        self._num_steps += 1
        self._squares.mul_(self.ALPHA).addcmul_(gradient, gradient, value=1.0 - self.ALPHA)
        torch.sqrt(self._squares, out=self._scratch)
        self._parameters.values.addcdiv_(gradient, self._scratch.add_(self.EPS), value=-self.learning_rate)

    def proximal(self, quadratic: Quadratic) -> Step:
        """Step size per coordinate, lr / (√v + eps), as the data step has it; see `KeptWeight`."""

        def step() -> None:
            self.step()
            weight = self._weight.at(self._num_steps, quadratic, self._squares, learning_rate=self.learning_rate)
            proximal_step(self._parameters.values, quadratic.centre, weight)

        return step

    def state(self) -> dict[str, Tensor]:
        """The mean of squares, the number of steps, and the weight of the proximal step if there is one."""
        return {**self._own_state(), **self._weight.state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        _check_state(state, {**self._own_state(), **self._weight.blank_state(state, like=self._parameters.values)})
        self._squares.copy_(state["squares"])
        self._num_steps = int(state["step"])
        self._weight.load_state(state, num_steps=self._num_steps, learning_rate=self.learning_rate)

    def _own_state(self) -> dict[str, Tensor]:
        return {"squares": self._squares.clone(), "step": torch.tensor(self._num_steps, dtype=torch.int64)}


def _check_state(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    if {name: (tensor.shape, tensor.dtype) for name, tensor in given.items()} != {
        name: (tensor.shape, tensor.dtype) for name, tensor in expected.items()
    }:
        raise StateFormatError(
            f"optimiser state holds {sorted(given)}, expected {sorted(expected)} with the shapes of this network and optimiser"
        )
