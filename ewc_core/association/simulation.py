"""A linear readout that sees one pattern a step: W ← W − λ_t (x_t·W − y_t) x_t, from W = 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ewc_core.association.patterns import Patterns
from ewc_core.association.theory import FloatArray


def simulate_readout(patterns: Patterns, rates: FloatArray, times: Sequence[int]) -> Tensor:
    """The weights at `times` (increasing, counted from 1), of every repeat: float32 [R, n, num_times].

    `rates` [T] holds λ_1 … λ_T. Rounding in float32 moves W by about 1e-6 of itself, far below the spread over repeats.
    """
    weights = torch.zeros(patterns.num_repeats, patterns.num_synapses)
    snapshots = torch.empty(*weights.shape, len(times))
    columns = {time: column for column, time in enumerate(times)}
    for first, block in patterns.blocks():
        for t, x in enumerate(block, start=first + 1):
            residual = torch.mul(x, weights).sum(dim=1).sub_(patterns.labels[t - 1])
            weights.addcmul_(x, residual.mul_(-float(rates[t - 1])).unsqueeze(1))
            if t in columns:
                snapshots[:, :, columns[t]] = weights
    return snapshots
