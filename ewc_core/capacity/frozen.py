"""How much of a network the precision has frozen.

A new task pulls along its scores u with the curvature h = E[uᵀFu] / E[uᵀu] = tr F² / tr F of its own full Fisher; a
coordinate of precision P_i follows that pull by h / (P_i + h), so its frozen share is P_i / (P_i + h). The sum over
coordinates is MacKay's number of determined parameters, with h in the place of his prior precision. Where K tasks of
rank r and λ = 1 hold n parameters evenly, P = K tr F / n and h = tr F / r give K r / (n + K r): half at K r = n, when as
many directions are held as there are. For random patterns (r = 1, P = t/n, h = 1) that is t / (n + t), one minus the
learning rate that exact EWC has left.

A diagonal does not tell r. `ewc_core.capacity.curvature` measures h; without it, h = tr F (r = 1) is its upper bound and
the shares are lower bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.blocks import blocks
from ewc_core.consolidation import Constraint, merge
from ewc_core.layers import by_layer
from ewc_core.params import ParameterLayout

NEARLY_USED = 0.9


@dataclass(frozen=True)
class Capacity:
    """Mean frozen share in [0, 1] over the parameters of every layer, and over all of them."""

    layers: dict[str, float]
    overall: float


def frozen_share(precision: Tensor, curvature: float) -> Tensor:
    """P / (P + h) per coordinate in float64 for P >= 0 and h >= 0; 0 where both are 0."""
    values = precision.double()
    return torch.where(values > 0.0, values / (values + curvature), 0.0)


def capacity_of_precision(precision: Mapping[str, Tensor], curvature: Mapping[str, float]) -> Capacity:
    """Frozen shares for a merged precision by parameter name (every ewc_lambda included) and h by layer."""
    layers, total, size = {}, 0.0, 0
    for layer, names in by_layer(precision).items():
        tensors = [precision[name].reshape(-1) for name in names]
        length = sum(map(len, tensors))
        of_layer = sum(float(frozen_share(block, curvature[layer]).sum()) for tensor in tensors for (block,) in blocks(tensor))
        layers[layer] = of_layer / length
        total, size = total + of_layer, size + length
    return Capacity(layers, total / size)


def capacity(
    constraints: Sequence[Constraint], layout: ParameterLayout, *, curvature: Mapping[str, float] | None = None
) -> Capacity:
    """Frozen shares for the sum of the constraints; all 0 without any.

    `curvature` is h by layer, as measured; None takes the bound tr F, averaged over the constraints (each must then hold
    the Fisher of one task), and the shares are lower bounds.

    Raises:
        ParameterMismatch: a constraint does not fit the layout.
    """
    quadratic = merge(constraints, layout, dtype=torch.float64)
    precision = torch.zeros(layout.num_parameters) if quadratic is None else quadratic.precision
    return capacity_of_precision(layout.split(precision), _mean_traces(constraints, layout) if curvature is None else curvature)


def capacity_warning(result: Capacity, *, threshold: float = NEARLY_USED) -> str | None:
    """What to tell the user when the network, or a layer of it, is frozen beyond `threshold`; None when none is."""
    full = [f"{name!r} ({share:.0%})" for name, share in result.layers.items() if share > threshold]
    if result.overall > threshold:
        return (
            f"the network's capacity is nearly used up: {result.overall:.0%} of it is frozen, and new tasks will hardly be "
            "learned; a larger network, a smaller ewc_lambda, online_ewc with fisher_decay < 1, or forgetting a task makes room"
        )
    if full:
        return f"these layers are frozen beyond {threshold:.0%}, and new tasks must do with the others: {', '.join(full)}"
    return None


def _mean_traces(constraints: Sequence[Constraint], layout: ParameterLayout) -> dict[str, float]:
    return {
        layer: sum(float(constraint.fisher[name].double().sum()) for constraint in constraints for name in names)
        / max(1, len(constraints))
        for layer, names in by_layer(layout.names).items()
    }
