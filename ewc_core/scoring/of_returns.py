"""Scores of play, from the returns of episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ewc_core.scoring.terms import Terms


def mean_return(returns: Sequence[float], scale: Callable[[float], float]) -> Terms:
    """The mean return of episodes on the `scale` of a task."""

    def score_of(sums: Tensor, counts: Tensor) -> Tensor:
        means: list[float] = (sums[:, 0] / counts).tolist()
        return torch.tensor([scale(mean) for mean in means], dtype=torch.float64)

    rows = torch.tensor(returns, dtype=torch.float64).unsqueeze(1)
    return Terms(scale(sum(returns) / len(returns)), rows, score_of)
