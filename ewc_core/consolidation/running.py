"""One running importance over all tasks: online EWC, and the sums of Synaptic Intelligence and MAS."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.blocks import BLOCK, all_finite
from ewc_core.errors import NonFiniteError, SpecError
from ewc_core.params import ParameterLayout
from ewc_core.stored_tensors import part_of


def decayed_sum(
    running: Mapping[str, Tensor] | None, fisher: Mapping[str, Tensor], *, fisher_decay: float, normalise: bool
) -> dict[str, Tensor]:
    """F̃ ← fisher_decay · F̃ + F by parameter name; the first F̃ is F (Schwarz et al. 2018, online EWC).

    With `normalise` F is divided by its mean over all parameters of the network first, so that tasks whose Fishers
    differ in scale weigh equally; a Fisher that is 0 everywhere is left alone. The decay is applied here, once per
    consolidation, and nowhere else. Sums in float64, the result in float32 in new tensors.

    Raises:
        SpecError: fisher_decay is not in [0, 1].
        ParameterMismatch: names or shapes of the two differ.
        NonFiniteError: an entry is not finite in float32; the message names the parameter.
    """
    if not 0.0 <= fisher_decay <= 1.0:
        raise SpecError(f"fisher_decay is {fisher_decay}, expected a number in [0, 1]", field="fisher_decay")
    mean = _mean(fisher) if normalise else 0.0
    if running is not None:
        layout = ParameterLayout(tuple(fisher), tuple(tuple(tensor.shape) for tensor in fisher.values()))
        layout.check(running)
    result = {}
    for name, tensor in fisher.items():
        result[name] = torch.empty(tensor.shape, dtype=torch.float32)
        written = result[name].view(-1)
        for start in range(0, tensor.numel(), BLOCK):
            stop = min(tensor.numel(), start + BLOCK)
            added = part_of(fisher, name, start, stop).double()
            if mean > 0.0:
                added /= mean
            if running is not None:
                added = fisher_decay * part_of(running, name, start, stop).double() + added
            written[start:stop] = added
        if not all_finite(written):
            raise NonFiniteError(f"the running Fisher of parameter {name!r} holds NaN or infinity")
    return result


def _mean(fisher: Mapping[str, Tensor]) -> float:
    """The mean over all parameters of the network."""
    total = float(sum(float(tensor.double().sum()) for tensor in fisher.values()))
    return total / sum(tensor.numel() for tensor in fisher.values())
