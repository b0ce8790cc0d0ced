"""The categorical likelihood: what the network's logits say about labels.

Probabilities are computed in float64 whatever the logits' dtype: p(1 - p) of a confident network needs the digits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """log p(label | x) per example: logits [n, K], labels [n] -> [n]; differentiable, in the logits' dtype."""
    return -functional.cross_entropy(logits, labels, reduction="none")


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over the last dimension in float64: [n, K] -> [n, K]."""
    return torch.softmax(logits.detach().double(), dim=-1)


def fisher_seeds(logits: Tensor) -> Tensor:
    """Gradients to backpropagate so that their squares sum to the exact Fisher: [n, K] -> [K, n, K].

    Equation: seed_c = √p_c · (p − e_c), that is √p_c times the gradient of −log p_c by the logits.
    Per example, never averaged; computed in float64, returned in the logits' dtype.
    """
    p = probabilities(logits)
    unit = torch.eye(p.shape[1], dtype=p.dtype)
    seeds = p.sqrt().T.unsqueeze(-1) * (p.unsqueeze(0) - unit.unsqueeze(1))
    return seeds.to(logits.dtype)
