"""Whether examples are treated independently: found by running the same ones in different company and at other places."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.errors import SpecError

COMPANIES = ((0, 1), (2, 0, 1))
"""Numbers of the examples in two batches. Two sizes, because a dimension that equals the number of examples by chance does
not do so twice; and no example that both have in common is at the same place."""


def rows_agree(few: Tensor, more: Tensor) -> bool:
    """Whether examples 0 and 1 have the same rows in tensors of the first and of the second of `COMPANIES`.

    Up to rounding, which depends on the size of a batch: 10 √ε of the largest entry, at most a tenth. NaN agrees with all.
    """
    common = more[1:]
    if few.shape != common.shape:
        return False
    if not few.is_floating_point():
        return torch.equal(few, common)
    tolerance = min(0.1, 10 * torch.finfo(few.dtype).eps ** 0.5) * few.abs().amax() if few.numel() else 0.0
    return not bool(((few - common).abs() > tolerance).any())


def check_outputs(few: Tensor, more: Tensor) -> None:
    """Refuse a network whose outputs for `COMPANIES` show that an example's depend on the others.

    Raises:
        SpecError: they do.
    """
    if not rows_agree(few, more):
        raise SpecError(
            "the network's outputs for an example change with the other examples of its batch, so that no example has a "
            "gradient of its own; expected a network that treats examples independently in eval mode",
            field="network",
        )
