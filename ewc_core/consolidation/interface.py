"""What a form of constraints is: the diagonal is the first. Learners, optimisers and the record know nothing more of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.consolidation.stability import ExplicitStep
from ewc_core.fisher.info import FisherInfo
from ewc_core.params import ParameterLayout


@dataclass(frozen=True)
class AdaptiveSizes:
    """The step sizes that Adam or RMSProp just had, one per coordinate: η = lr / (√(second_moment / bias_correction) + eps).

    `num_steps` is the number of that step, from 1. `bias_correction` is 1 − β₂^t for Adam, and 1 for RMSProp, which has none.
    """

    num_steps: int
    learning_rate: float
    second_moment: Tensor
    eps: float
    bias_correction: float = 1.0


UniformStep = Callable[[Tensor, float], None]
"""(values, η): the implicit step of one size η for all coordinates, in place."""
AdaptiveStep = Callable[[Tensor, AdaptiveSizes], None]
"""(values, sizes): the implicit step of the sizes that the data step just had, in place."""
DividedStep = Callable[[int, Tensor, Tensor, float], None]
"""(start, values, divisor, lr): the implicit step of sizes lr / divisor on the coordinates from `start` on, as many as `values`
and `divisor` have; in place, and `divisor` is used up."""


class Penalty(Protocol):
    """What the constraints of a job make together beside the data loss: zero force where no constraint pulls, never negative.

    All of it is over the flat parameters θ [num_parameters]; the ½ and every ewc_lambda are in it, and its cost does not
    depend on how many constraints there are. The implicit step moves θ to where θ' = θ − η ∇penalty(θ'): after a data step
    it rests where the gradients of data and penalty cancel, for every η.
    """

    def value(self, values: Tensor) -> float:
        """The penalty at `values`."""

    def gradient(self, values: Tensor) -> Tensor:
        """Its gradient, in a new tensor."""

    def write_gradient(self, gradient: Tensor, values: Tensor) -> None:
        """gradient ← its gradient, in place: a backward pass then adds the data gradient to it, which saves zeroing it."""

    def gradient_norm(self, values: Tensor) -> float:
        """The Euclidean norm of its gradient."""

    def explicit_step(self, rate: float, *, momentum: float) -> ExplicitStep:
        """How near explicit descent with this rate is to diverging."""

    def stiffness(self, layout: ParameterLayout) -> Mapping[str, Tensor]:
        """How stiffly each coordinate is held, by parameter name, as the shares of a frozen network are counted. Read only."""

    def uniform_step(self) -> UniformStep:
        """The implicit step beside an optimiser with one step size (gradient descent)."""

    def adaptive_step(self, kept: KeptWeight) -> AdaptiveStep:
        """The implicit step beside Adam and RMSProp. `kept` is the optimiser's: what is kept in it from one step to the next is
        stored with the optimiser's state."""

    def divided_step(self) -> DividedStep:
        """The implicit step beside an optimiser that hands over its divisors, a part of the coordinates at a time."""


class TaskConstraint(Protocol):
    """What holds the network to one task. Its tensors may stay in the record, and be read there when they are looked at."""

    @property
    def task_index(self) -> int:
        """The task; of an agent's, its label."""

    @property
    def ewc_lambda(self) -> float:
        """Its strength."""

    @property
    def info(self) -> FisherInfo:
        """Where its Fisher comes from."""

    @property
    def anchor(self) -> Mapping[str, Tensor]:
        """The parameters at the end of the task, by name."""

    def parts(self) -> list[memoryview]:
        """Its bytes as they are stored, one part after the other; they show its tensors, and are not copies of them."""


Held = TypeVar("Held", bound=TaskConstraint, contravariant=True)


class Form(Protocol[Held]):
    """How constraints of one form become one penalty."""

    def merged(
        self,
        constraints: Sequence[Held],
        layout: ParameterLayout,
        *,
        weights: Mapping[int, float],
        precision_floor: float,
        latest_task: int | None,
        at_latest: bool,
    ) -> Penalty | None:
        """The sum of the constraints, each around its own anchor or (`at_latest`) all around the anchor of `latest_task`; None
        when it holds nothing. What `merge` and `merge_latest` of the diagonal say of weights, floor, order and errors holds."""
