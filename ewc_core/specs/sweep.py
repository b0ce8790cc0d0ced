"""The spec of a sweep: a search over fields of a job, scored without looking at test data or at later tasks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ewc_core.specs.base import Spec
from ewc_core.specs.supervised import JobName, Metadata, SupervisedSpec

Scalar = bool | int | float | str


class FloatRange(Spec):
    """Real numbers from `low` to `high`, both included; with `log` evenly spread over orders of magnitude."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> FloatRange:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} must be less than high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, got {self.low}")
        return self


class IntRange(Spec):
    """Whole numbers from `low` to `high`, both included."""

    kind: Literal["int"]
    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> IntRange:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} must be less than high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low > 0, got {self.low}")
        return self


class Choices(Spec):
    """One of a few values."""

    kind: Literal["choices"]
    values: list[Scalar] = Field(min_length=1, max_length=100)


SearchRange = Annotated[FloatRange | IntRange | Choices, Field(discriminator="kind")]


class SweepSpec(Spec):
    """Train `job` with `num_trials` settings of the fields in `search`, and find the best.

    `search` maps dotted fields of the job spec (such as `method.ewc_lambda`) to ranges. Every trial is an ordinary job
    with closed stream, the same seed, no controls, and `training.evaluate_on` "validation": its score is the mean
    validation score over all its tasks after the last visit. The data of the test set is never read.
    `sampler` "grid" tries every combination of choices, "random" draws, "tpe" learns from the trials finished so far.
    """

    name: JobName | None = None
    job: SupervisedSpec
    search: dict[Annotated[str, Field(min_length=1, max_length=128)], SearchRange] = Field(min_length=1, max_length=16)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    num_trials: int = Field(default=20, ge=1, le=1000)
    max_parallel: int = Field(default=2, ge=1, le=64)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    metadata: Metadata = Field(default={}, max_length=16)
