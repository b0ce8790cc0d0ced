"""A data set in memory, as it is before any task selects or transforms its examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ewc_core.data.as_stored import AsStored
from ewc_core.data.digests import Digest
from ewc_core.data.layout import ALL_ARRAYS
from ewc_core.specs import LikelihoodName


@dataclass(frozen=True)
class DataSource:
    """Inputs [n, *input_shape], contiguous: uint8 (divided by `largest` when a task reads them) or float32 (as they are).

    Targets are int64 [n], labels 0 to num_outputs - 1 of which some may have no example (categorical), or float32
    [n, num_outputs] (Bernoulli: 0 or 1; Gaussian: finite). `largest` is None for float32 inputs. Whoever makes one has
    checked all of this. `digests` are those of everything that it was read from.
    """

    train_inputs: Tensor
    train_targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    likelihood: LikelihoodName
    num_outputs: int
    largest: int | None
    stored: AsStored
    digests: tuple[Digest, ...] = ()

    def tensors(self) -> dict[str, Tensor]:
        """Inputs and targets by name."""
        return {name: getattr(self, name) for name in ALL_ARRAYS}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.train_inputs.shape[1:])

    @property
    def num_features(self) -> int:
        """Numbers in one input."""
        return math.prod(self.input_shape)
