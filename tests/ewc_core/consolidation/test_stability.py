"""The limit of the explicit penalty step."""

from __future__ import annotations

import pytest
import torch

from ewc_core.consolidation.stability import explicit_step_limit


def _distance_after(precision: float, rate: float, momentum: float, num_steps: int = 4000) -> float:
    """|θ| after explicit heavy-ball descent on ½ P θ² from 1."""
    theta, velocity = 1.0, 0.0
    for _ in range(num_steps):
        velocity = momentum * velocity + precision * theta
        theta -= rate * velocity
        if abs(theta) > 1e6:
            break
    return abs(theta)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_descent_diverges_beyond_the_limit_and_not_before(momentum: float) -> None:
    rate, limit = 0.1, 2 * (1 + momentum)
    for factor, diverges in ((0.99, False), (1.01, True)):
        precision = factor * limit / rate
        found = explicit_step_limit(torch.tensor([0.0, precision]), rate, momentum=momentum)
        assert found.limit == limit
        assert found.largest == pytest.approx(factor * limit, rel=1e-6)
        assert found.is_unstable is diverges
        assert found.num_unstable == int(diverges)
        assert (_distance_after(precision, rate, momentum) > 1.0) is diverges


def test_every_coordinate_at_or_beyond_the_limit_is_counted() -> None:
    assert explicit_step_limit(torch.tensor([1.0, 2.0, 4.0]), 1.0).num_unstable == 2
