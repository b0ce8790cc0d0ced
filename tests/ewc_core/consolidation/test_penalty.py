"""The penalty in place."""

from __future__ import annotations

import torch

from ewc_core.consolidation import Quadratic
from ewc_core.consolidation.penalty import add_penalty_gradient, penalty_gradient, penalty_value


def _quadratic() -> Quadratic:
    return Quadratic(torch.tensor([0.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -1.0]), constant=0.25)


def test_value_carries_the_half_and_the_constant() -> None:
    assert penalty_value(_quadratic(), torch.tensor([9.0, 2.0, -0.5])) == 0.5 * (2 * 1 + 4 * 0.25) + 0.25


def test_gradient_is_added_to_what_is_there() -> None:
    quadratic, values = _quadratic(), torch.tensor([9.0, 2.0, -0.5])
    gradient = torch.tensor([1.0, 1.0, 1.0])
    add_penalty_gradient(gradient, quadratic, values, scratch=torch.full((3,), torch.nan))
    assert gradient.tolist() == [1.0, 3.0, 3.0]
    assert torch.equal(gradient - 1.0, penalty_gradient(quadratic, values))
