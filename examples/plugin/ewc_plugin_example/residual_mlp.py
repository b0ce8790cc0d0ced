"""A network: a residual MLP with layer normalisation, in plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

DEFAULTS = {"width": 64, "num_blocks": 2}


class ResidualMLP(nn.Module):
    """Inputs [n, ...] -> `width` hidden units -> h + f(h), once per block -> outputs [n, num_outputs]."""

    def __init__(self, num_features: int, num_outputs: int, width: int, num_blocks: int) -> None:
        super().__init__()
        self.first = nn.Linear(num_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(num_blocks)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [n, num_outputs]; each example's depend on that example alone."""
        hidden = self.first(inputs.flatten(1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        outputs: Tensor = self.last(hidden)
        return outputs


def network(input_shape: tuple[int, ...], num_outputs: int, options: Mapping[str, Any]) -> nn.Module:
    """What the service calls. Options: `width` of the hidden layers and `num_blocks`.

    Raises:
        ValueError: an option that does not exist, or a size that is no whole number of at least 1.
    """
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"unknown options {unknown}; expected some of {sorted(DEFAULTS)}")
    sizes = {**DEFAULTS, **options}
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
    return ResidualMLP(math.prod(input_shape), num_outputs, **sizes)
