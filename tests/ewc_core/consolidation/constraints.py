"""Random constraints for tests."""

from __future__ import annotations

import torch

from ewc_core.consolidation import Constraint
from ewc_core.fisher import FisherInfo
from ewc_core.params import ParameterLayout

LAYOUT = ParameterLayout(("w", "b"), ((3, 4), (3,)))
INFO = FisherInfo(estimator="exact", likelihood="categorical", num_examples=10, seed=None)


def random_constraint(
    task_index: int, *, ewc_lambda: float = 1.0, dtype: torch.dtype = torch.float64, zeros: float = 0.3
) -> Constraint:
    """A constraint over LAYOUT whose Fisher spans many orders of magnitude and is 0 in places, differently per task."""
    generator = torch.Generator().manual_seed(100 + task_index)
    size = LAYOUT.num_parameters
    fisher = torch.exp(6 * torch.randn(size, generator=generator, dtype=torch.float64))
    fisher[torch.rand(size, generator=generator) < zeros] = 0.0
    fisher[0] = 0.0
    anchor = torch.randn(size, generator=generator, dtype=torch.float64)
    return Constraint(task_index, LAYOUT.split(fisher.to(dtype)), LAYOUT.split(anchor.to(dtype)), ewc_lambda, INFO)


def single(task_index: int, fisher: torch.Tensor, anchor: torch.Tensor, ewc_lambda: float) -> tuple[Constraint, ParameterLayout]:
    """A constraint over one vector parameter, and its layout."""
    layout = ParameterLayout(("w",), (tuple(fisher.shape),))
    return Constraint(task_index, {"w": fisher}, {"w": anchor}, ewc_lambda, INFO), layout
