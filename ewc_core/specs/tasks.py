"""Tasks: one learning problem each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ewc_core.specs.base import Spec
from ewc_core.specs.datasets import DatasetName


class PermutedTask(Spec):
    """Classify a data set whose input features are shuffled by one fixed permutation.

    `permutation` 0 leaves the features in place; any other value seeds one permutation, the same in every job.
    """

    kind: Literal["permuted"] = "permuted"
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    dataset: DatasetName
    permutation: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def title(self) -> str:
        """The given name, or one made of the data set and the permutation."""
        return self.name or f"{self.dataset.value}-permutation-{self.permutation}"


TaskSpec = PermutedTask
