"""Scores of predictions on data, from outputs and targets in chunks of examples."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ewc_core.scoring.terms import Terms
from ewc_core.specs import LikelihoodName

Chunks = Iterable[tuple[Tensor, Tensor]]
"""Outputs [n, K] with targets: labels [n], or numbers [n, K]."""


def accuracy(chunks: Chunks, likelihood: LikelihoodName) -> Terms:
    """Share of right answers, in [0, 1]. Categorical: the largest output against the label; Bernoulli: every output's side
    of 0."""
    is_right = _class_is_right if likelihood is LikelihoodName.CATEGORICAL else _signs_are_right
    num_right, num_in_all = 0, 0
    rows = []
    for outputs, targets in chunks:
        right = is_right(outputs, targets)
        num_right, num_in_all = num_right + int(right.sum()), num_in_all + right.numel()
        rows.append(right.reshape(len(right), -1).sum(dim=1, keepdim=True).double())
    together = torch.cat(rows)
    per_example = num_in_all // len(together)
    return Terms(num_right / num_in_all, together, lambda sums, counts: sums[:, 0] / (counts * per_example))


def r_squared(chunks: Chunks, likelihood: LikelihoodName) -> Terms:
    """R² = 1 − Σ(f − y)² / Σ(y − ȳ)², at most 1, over all output columns together. Undefined where every column of the targets
    is constant. ȳ is the mean per column, in every sample that of all examples: the predictor that R² compares with."""
    parts, errors, error = [], [], 0.0
    for outputs, targets in chunks:
        parts.append(targets.double())
        squares = (outputs.double() - parts[-1]).square()
        error += float(squares.sum())
        errors.append(squares.reshape(len(squares), -1).sum(dim=1))
    exact = torch.cat(parts)
    spread = (exact - exact.mean(dim=0)).square()
    rows = torch.stack([torch.cat(errors), spread.reshape(len(spread), -1).sum(dim=1)], dim=1)
    is_constant = bool((exact == exact[0]).all())  # not a spread of 0: the mean of equal numbers may be rounded
    value = None if is_constant else 1.0 - error / float(spread.sum())
    return Terms(value, rows, lambda sums, counts: torch.where(sums[:, 1] > 0.0, 1.0 - sums[:, 0] / sums[:, 1], torch.nan))


def _class_is_right(outputs: Tensor, labels: Tensor) -> Tensor:
    return outputs.argmax(dim=1) == labels


def _signs_are_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs > 0) == (targets > 0.5)
