from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

from ewc_core.association.landmarks import blackout_at, falls_below_at, first_lost_at, log_log_slope
from ewc_core.association.rates import learning_rates
from ewc_core.association.theory import TheoryCurves, expected_weight_norm, readout_theory
from ewc_core.specs import GradientDescentRule, OnlineEwcRule

Curves = Mapping[str, TheoryCurves]

WEIGHT_NORMS = {
    # t: EWC, GD, GD with rate 1/2
    10: (0.00985, 0.00994, 0.00249),
    100: (0.08635, 0.09502, 0.02409),
    500: (0.25777, 0.39284, 0.10427),
    1000: (0.30619, 0.63104, 0.17592),
    2000: (0.28029, 0.86307, 0.25900),
    5000: (0.17173, 0.99130, 0.32551),
}
FIRST_PATTERN_SNRS = {
    # t: GD, GD with rate 1/2, EWC
    2: (31.560, 31.599, 31.591),
    10: (10.457, 10.507, 10.510),
    30: (5.739, 5.817, 5.827),
    100: (2.947, 3.080, 3.107),
    300: (1.458, 1.663, 1.733),
    500: (0.9682, 1.2072, 1.3138),
    1000: (0.4633, 0.7235, 0.9038),
    1500: (0.2536, 0.4979, 0.7299),
    2000: (0.1458, 0.3615, 0.6297),
    3000: (0.0512, 0.2043, 0.5143),
    5000: (0.0068, 0.0719, 0.4022),
}
FRACTION_TIMES = (400, 500, 600, 700, 800, 900, 1000, 1200, 1500, 1800, 2000, 2500, 3000, 4000, 5000, 6000)
FRACTIONS = {
    "gd": (1, 0.956, 0.767, 0.636, 0.541, 0.469, 0.414, 0.333, 0.256, 0.208, 0.184, 0.144, 0.118, 0.088, 0.070, 0.058),
    "half": (1, 1, 1, 0.924, 0.781, 0.672, 0.588, 0.465, 0.349, 0.276, 0.242, 0.183, 0.147, 0.106, 0.083, 0.068),
    "ewc": (1, 1, 1, 1, 1, 0.899, 0.787, 0.609, 0.373, 0.087, 0, 0, 0, 0, 0, 0),
}


def test_weight_norms_are_the_published_ones(paper_curves: Curves) -> None:
    for t, expected in WEIGHT_NORMS.items():
        found = [_norm(paper_curves, name)[t - 1] for name in ("ewc", "gd", "half")]
        assert found == pytest.approx(expected, abs=0.6e-5), t


def test_snrs_of_the_first_pattern_are_the_published_ones(paper_curves: Curves) -> None:
    for t, expected in FIRST_PATTERN_SNRS.items():
        found = [paper_curves[name].first_pattern_snr[t - 1] for name in ("gd", "half", "ewc")]
        assert found == pytest.approx(expected, abs=0.6e-3 if t <= 300 else 0.6e-4), t


@pytest.mark.parametrize("name", FRACTIONS)
def test_fractions_retained_are_the_published_ones(paper_curves: Curves, name: str) -> None:
    found = [paper_curves[name].fraction_retained[t - 1] for t in FRACTION_TIMES]
    assert found == pytest.approx(FRACTIONS[name], abs=0.6e-3)


def test_at_capacity_ewc_retains_787_of_1000_and_gradient_descent_414(paper_curves: Curves) -> None:
    assert [round(1000 * paper_curves[name].fraction_retained[999]) for name in ("ewc", "gd")] == [787, 414]


def test_the_first_memory_is_lost_at_the_published_times(paper_curves: Curves) -> None:
    assert [first_lost_at(paper_curves[name].fraction_retained) for name in ("gd", "half", "ewc")] == [482, 658, 828]


def test_ewc_falls_below_the_others_at_the_published_times_and_stays_there(paper_curves: Curves) -> None:
    ewc = paper_curves["ewc"].fraction_retained
    for name, expected in (("gd", 1669), ("half", 1547)):
        other = paper_curves[name].fraction_retained
        assert falls_below_at(ewc, other) == expected
        assert bool((ewc[expected - 1 :] < other[expected - 1 :]).all())


def test_ewc_retains_nothing_from_1870_on_and_no_other_rule_blacks_out(paper_curves: Curves) -> None:
    assert blackout_at(paper_curves["ewc"].fraction_retained) == 1870
    assert all(blackout_at(paper_curves[name].fraction_retained) is None for name in ("gd", "half", "online"))


def test_slopes_of_the_first_patterns_snr_are_the_published_ones(paper_curves: Curves) -> None:
    spans = ((10, 100), (100, 300), (1000, 2000), (3000, 6000))
    for name, expected in (("ewc", (-0.529, -0.532, -0.521, -0.479)), ("gd", (-0.55, -0.641, -1.668, -4.361))):
        found = [log_log_slope(paper_curves[name].first_pattern_snr, start, stop) for start, stop in spans]
        assert found == pytest.approx(expected, abs=1e-3)


def test_online_ewc_ends_where_gradient_descent_with_its_limiting_rate_ends() -> None:
    """γ = 0.99 and n = 100: N → 1, so the rate tends to 1/2."""
    online, half = (
        readout_theory(learning_rates(rule, num_synapses=100, num_patterns=2500), num_synapses=100)
        for rule in (OnlineEwcRule(fisher_decay=0.99), GradientDescentRule(rate=0.5))
    )
    assert _norms_of(online)[-1] == pytest.approx(_norms_of(half)[-1], rel=1e-6)
    assert online.fraction_retained[-1] == half.fraction_retained[-1] > 0.0


@pytest.mark.parametrize("rates", [(0.9, 0.5, 0.7), (1.0, 1.0, 1.0), (0.75, 0.6, 0.5)])
def test_moments_are_those_of_all_patterns_and_labels_one_by_one(rates: tuple[float, ...]) -> None:
    """n = 3, T = 3: every one of the 2^9 · 2^3 equally likely histories."""
    n = 3
    signs = np.array(list(product((-1.0, 1.0), repeat=n * len(rates))))
    labels = np.array(list(product((-1.0, 1.0), repeat=len(rates))))
    x = np.repeat(signs, len(labels), axis=0).reshape(-1, len(rates), n) / np.sqrt(n)
    y = np.tile(labels, (len(signs), 1))
    weights = np.zeros((len(x), n))
    theory = readout_theory(np.array(rates), num_synapses=n)
    for t, rate in enumerate(rates):
        weights -= rate * (np.einsum("hi,hi->h", x[:, t], weights) - y[:, t])[:, None] * x[:, t]
        overlaps = y[:, : t + 1] * np.einsum("hki,hi->hk", x[:, : t + 1], weights)
        signal, noise = overlaps.mean(axis=0), overlaps.std(axis=0)
        assert _norms_of(theory)[t] == pytest.approx((weights**2).sum(axis=1).mean() / n, rel=1e-12)
        assert theory.fraction_retained[t] == np.mean(signal > noise)
        if t > 0:
            assert theory.first_pattern_snr[t] == pytest.approx(signal[0] / noise[0], rel=1e-12)


def test_the_only_overlap_at_the_first_step_does_not_vary() -> None:
    rates = learning_rates(GradientDescentRule(), num_synapses=50, num_patterns=4)
    assert np.isinf(readout_theory(rates, num_synapses=50).first_pattern_snr[0])


def test_the_norm_starts_at_zero_and_grows_by_the_square_of_the_rate() -> None:
    assert expected_weight_norm(np.array([0.8, 0.5]), num_synapses=10).tolist() == pytest.approx(
        [0.0, 0.64, 0.64 * (1 - 0.1 + 0.025) + 0.25]
    )


def _norm(curves: Curves, name: str) -> np.ndarray:
    return _norms_of(curves[name])


def _norms_of(theory: TheoryCurves) -> np.ndarray:
    assert theory.weight_norm is not None
    return theory.weight_norm
