from __future__ import annotations

import numpy as np
import pytest

from ewc_core.association.landmarks import blackout_at, falls_below_at, first_lost_at, log_log_slope


def test_times_count_from_one() -> None:
    curve = np.array([1.0, 1.0, 0.5, 0.0, 0.2, 0.0, 0.0])
    assert first_lost_at(curve) == 3
    assert blackout_at(curve) == 6
    assert falls_below_at(curve, np.full(7, 0.1)) == 4


def test_what_does_not_happen_has_no_time() -> None:
    curve = np.array([1.0, 1.0])
    assert (first_lost_at(curve), blackout_at(curve), falls_below_at(curve, curve)) == (None, None, None)


def test_a_power_law_has_its_exponent_as_slope() -> None:
    times = np.arange(1.0, 101.0)
    assert log_log_slope(3.0 * times**-0.5, 10, 100) == pytest.approx(-0.5, rel=1e-12)
    assert log_log_slope(times - 10.0, 10, 100) is None
