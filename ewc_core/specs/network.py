"""Networks that a job can train."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from ewc_core.specs.base import Spec

MAX_PARAMETERS = 50_000_000


class MLPSpec(Spec):
    """Fully connected ReLU network: features -> hidden sizes -> classes. No hidden size means a linear classifier."""

    kind: Literal["mlp"] = "mlp"
    hidden_sizes: list[Annotated[int, Field(ge=1, le=16384)]] = Field(default=[100, 100], max_length=16)


NetworkSpec = MLPSpec


def count_parameters(network: NetworkSpec, *, num_features: int, num_classes: int) -> int:
    """Number of weights and biases: the sum of (inputs + 1) * outputs over the layers."""
    sizes = [num_features, *network.hidden_sizes, num_classes]
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
