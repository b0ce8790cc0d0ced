"""What the network's outputs say about targets: categorical, Bernoulli or Gaussian of unit variance.

Outputs [n, K] are logits (categorical: of K classes; Bernoulli: of K independent 0/1 labels) or means (Gaussian).
Targets are int64 [n] for the categorical likelihood, else floating point [n, K].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ewc_core.specs import LikelihoodName


def log_likelihood(likelihood: LikelihoodName, outputs: Tensor, targets: Tensor) -> Tensor:
    """log p(target | x) per example: outputs [n, K] -> [n]; differentiable, natural logarithm, in the outputs' dtype.

    Categorical: z_y − log Σ_j exp z_j. Bernoulli: Σ_k y_k log σ(z_k) + (1 − y_k) log(1 − σ(z_k)). Gaussian:
    −½ ‖f − y‖², without the constant −(K/2) log 2π.
    """
    match likelihood:
        case LikelihoodName.CATEGORICAL:
            return -functional.cross_entropy(outputs, targets, reduction="none")
        case LikelihoodName.BERNOULLI:
            return -functional.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), reduction="none").sum(1)
        case LikelihoodName.GAUSSIAN:
            return -0.5 * (outputs - targets.to(outputs.dtype)).square().sum(1)


def mean_loss(likelihood: LikelihoodName, outputs: Tensor, targets: Tensor) -> Tensor:
    """The data loss: −(1/n) Σ_n log p(target_n | x_n), a differentiable scalar. A mean over examples, a sum over outputs.

    So the loss of the Gaussian likelihood is ½ ‖f − y‖² per example, and its Fisher has no factor 2.
    """
    if likelihood is LikelihoodName.CATEGORICAL:
        return functional.cross_entropy(outputs, targets)
    return -log_likelihood(likelihood, outputs, targets).mean()


def probabilities(likelihood: LikelihoodName, outputs: Tensor) -> Tensor:
    """Of each class (categorical) or of each label being 1 (Bernoulli), in float64 and detached: [n, K] -> [n, K].

    float64 whatever the outputs' dtype: p(1 − p) of a confident network needs the digits.
    """
    logits = outputs.detach().double()
    return torch.softmax(logits, dim=1) if likelihood is LikelihoodName.CATEGORICAL else torch.sigmoid(logits)
