"""How each visit to a task is trained."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ewc_core.specs.base import Spec, refuse


class OptimiserName(StrEnum):
    """Optimisers; each starts fresh at every visit."""

    SGD = "sgd"
    ADAM = "adam"
    RMSPROP = "rmsprop"


class TrainingSpec(Spec):
    """One visit: `num_epochs` passes over the task's training examples in minibatches, the loss a mean over the minibatch.

    With `schedule` "linear" epoch e of n is trained at learning_rate · (1 − e/n), "constant" at learning_rate throughout.
    `num_validation_examples` of each task's training examples are held out: never trained on, never in a Fisher. Early
    stopping and λ searches look at them; `evaluate_on` "validation" keeps the test set out of sight altogether. With
    `evaluate_every` all tasks seen are evaluated each time that many steps of a visit are done, as curves.
    """

    optimiser: OptimiserName = OptimiserName.ADAM
    learning_rate: float = Field(default=1e-3, gt=0.0, le=10.0, description="step size of the optimiser")
    schedule: Literal["constant", "linear"] = "constant"
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0, description="sgd only")
    batch_size: int = Field(default=128, ge=1, le=65536, description="examples in a minibatch")
    num_epochs: int = Field(default=1, ge=1, le=10000)
    num_validation_examples: int = Field(default=0, ge=0, le=1_000_000)
    evaluate_on: Literal["test", "validation"] = "test"
    evaluate_every: Annotated[int, Field(ge=1)] | None = None

    def learning_rate_in(self, epoch: int) -> float:
        """The learning rate of an epoch (from 0)."""
        return self.learning_rate * (1.0 - epoch / self.num_epochs) if self.schedule == "linear" else self.learning_rate

    @model_validator(mode="after")
    def _values_belong_together(self) -> TrainingSpec:
        refuse(
            f"momentum {self.momentum} has no effect with optimiser {self.optimiser.value!r}; use 'sgd' or leave it out"
            if self.momentum != 0.0 and self.optimiser is not OptimiserName.SGD
            else None,
            "evaluate_on 'validation' needs num_validation_examples > 0"
            if self.evaluate_on == "validation" and self.num_validation_examples == 0
            else None,
        )
        return self
