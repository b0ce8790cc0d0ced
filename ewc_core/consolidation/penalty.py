"""The merged penalty: its value and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.consolidation.merge import Quadratic


def penalty_value(quadratic: Quadratic, values: Tensor) -> float:
    """½ Σ P (θ − m)² + c' at the flat parameters `values`; the ½ and every ewc_lambda are included."""
    distance = values - quadratic.centre
    return 0.5 * float(torch.dot(quadratic.precision * distance, distance)) + quadratic.constant


def penalty_gradient(quadratic: Quadratic, values: Tensor) -> Tensor:
    """P (θ − m), in a new tensor. This form cancels less than Pθ − b when θ is close to m."""
    return quadratic.precision * (values - quadratic.centre)


def write_penalty_gradient(gradient: Tensor, quadratic: Quadratic, values: Tensor) -> None:
    """gradient ← P (θ − m), in place. A backward pass then adds the data gradient to it, which saves zeroing it."""
    torch.sub(values, quadratic.centre, out=gradient)
    gradient.mul_(quadratic.precision)
