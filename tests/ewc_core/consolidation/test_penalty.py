"""The penalty in place."""

from __future__ import annotations

import torch

from ewc_core.consolidation import Quadratic


def _quadratic() -> Quadratic:
    return Quadratic(torch.tensor([0.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -1.0]), constant=0.25)


def test_value_carries_the_half_and_the_constant() -> None:
    assert _quadratic().value(torch.tensor([9.0, 2.0, -0.5])) == 0.5 * (2 * 1 + 4 * 0.25) + 0.25


def test_gradient_is_precision_times_distance_and_replaces_what_was_there() -> None:
    quadratic, values = _quadratic(), torch.tensor([9.0, 2.0, -0.5])
    gradient = torch.full((3,), torch.nan)
    quadratic.write_gradient(gradient, values)
    assert gradient.tolist() == [0.0, 2.0, 2.0]
    assert torch.equal(gradient, quadratic.gradient(values))
