"""How each visit to a task is trained."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from ewc_core.specs.base import Spec


class OptimiserName(StrEnum):
    """Optimisers; each starts fresh at every visit."""

    SGD = "sgd"
    ADAM = "adam"


class TrainingSpec(Spec):
    """One visit: `num_epochs` passes over the task's training examples in minibatches, the loss a mean over the minibatch."""

    optimiser: OptimiserName = OptimiserName.ADAM
    learning_rate: float = Field(default=1e-3, gt=0.0, le=10.0)
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0, description="sgd only")
    batch_size: int = Field(default=128, ge=1, le=65536)
    num_epochs: int = Field(default=1, ge=1, le=10000)

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> TrainingSpec:
        if self.momentum != 0.0 and self.optimiser is not OptimiserName.SGD:
            raise ValueError(
                f"momentum {self.momentum} has no effect with optimiser {self.optimiser.value!r}; use 'sgd' or leave it out"
            )
        return self
