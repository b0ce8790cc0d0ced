from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from ewc_core.association.closed_forms import (
    ewc_first_pattern_snr,
    ewc_noise_variance,
    ewc_signal,
    exponential_integral,
    gd_first_pattern_snr,
    gd_noise_variance,
    gd_signal,
    gd_steady_state_memory,
)
from ewc_core.association.rates import learning_rates
from ewc_core.association.theory import TheoryCurves
from ewc_core.specs import EwcRule, GradientDescentRule

N = 1000


@pytest.mark.parametrize(("x", "expected"), [(1.0, 1.8951178163559368), (0.5, 0.4542199048631736), (10.0, 2492.2289762418777)])
def test_exponential_integral_has_its_tabulated_values(x: float, expected: float) -> None:
    assert exponential_integral(x) == pytest.approx(expected, rel=1e-13)


def test_noise_is_within_three_per_mille_of_the_exact_recursion(paper_curves: Mapping[str, TheoryCurves]) -> None:
    forms = {
        "ewc": lambda t: ewc_noise_variance(t, num_synapses=N),
        "gd": lambda t: gd_noise_variance(t, num_synapses=N),
        "half": lambda t: gd_noise_variance(t, num_synapses=N, rate=0.5),
    }
    for name, form in forms.items():
        exact = paper_curves[name].weight_norm
        assert exact is not None
        assert max(abs(form(t) / exact[t - 1] - 1.0) for t in range(1, 6001)) < 3e-3, name


@pytest.mark.parametrize(
    ("t", "ewc", "gd", "half"),
    [(100, 0.08639, 0.09516, 0.02409), (500, 0.25788, 0.39347, 0.10424), (2000, 0.28038, 0.86466, 0.25896)],
)
def test_noise_has_the_published_values(t: int, ewc: float, gd: float, half: float) -> None:
    found = (ewc_noise_variance(t, num_synapses=N), *(gd_noise_variance(t, num_synapses=N, rate=r) for r in (1.0, 0.5)))
    assert found == pytest.approx((ewc, gd, half), abs=0.6e-5)


@pytest.mark.parametrize("t", [10.0, 700.0, 4000.0])
def test_ewc_noise_solves_its_differential_equation(t: float) -> None:
    """dq/dt = λ² − (λ/n)(2−λ) q with λ = n/(n+t), q = n · noise²."""
    rate, q = N / (N + t), N * ewc_noise_variance(t, num_synapses=N)
    slope = N * (ewc_noise_variance(t + 1e-2, num_synapses=N) - ewc_noise_variance(t - 1e-2, num_synapses=N)) / 2e-2
    assert slope == pytest.approx(rate**2 - rate / N * (2.0 - rate) * q, rel=1e-6)


def test_signals_are_products_of_what_each_later_step_leaves() -> None:
    ewc = learning_rates(EwcRule(), num_synapses=N, num_patterns=3000)
    for k in (1, 700, 3000):
        assert ewc_signal(3000, num_synapses=N) == pytest.approx(ewc[k - 1] * math.prod(1.0 - ewc[k:] / N), rel=1e-12)
    half = learning_rates(GradientDescentRule(rate=0.5), num_synapses=N, num_patterns=2000)
    assert gd_signal(1300, num_synapses=N, rate=0.5) == pytest.approx(0.5 * math.prod(1.0 - half[700:] / N), rel=1e-3)


@pytest.mark.parametrize(
    ("t", "gd", "ewc"),
    [(2, 22.350, 22.350), (10, 9.935, 9.975), (100, 2.936, 3.093), (1000, 0.4632, 0.9034), (5000, 0.0068, 0.4021)],
)
def test_snrs_of_the_first_pattern_have_the_published_values(t: int, gd: float, ewc: float) -> None:
    tolerance = 0.6e-3 if t <= 300 else 0.6e-4
    assert gd_first_pattern_snr(t, num_synapses=N) == pytest.approx(gd, abs=tolerance)
    assert ewc_first_pattern_snr(t, num_synapses=N) == pytest.approx(ewc, abs=tolerance)


def test_ewc_remembers_as_the_root_of_n_over_t_at_both_ends() -> None:
    for t in (N // 1000, 3_000_000):
        assert ewc_first_pattern_snr(t, num_synapses=N) == pytest.approx(math.sqrt(N / t), rel=3e-3)


def test_snr_crosses_one_where_the_paper_says() -> None:
    """t/n = 0.4812 for gradient descent and 0.8272 for EWC; a large n, so that age t − 1 is t."""
    n = 10**7
    assert gd_first_pattern_snr(0.4812 * n, num_synapses=n) == pytest.approx(1.0, abs=1e-4)
    assert ewc_first_pattern_snr(0.8272 * n, num_synapses=n) == pytest.approx(1.0, abs=1e-4)


def test_gradient_descent_keeps_a_window_that_is_largest_near_rate_627() -> None:
    windows = {rate: gd_steady_state_memory(num_synapses=N, rate=rate) for rate in (1.0, 0.5, 0.627, 0.6, 0.65)}
    assert (windows[1.0], windows[0.5], windows[0.627]) == pytest.approx((346.6, 405.5, 433.3), abs=0.06)
    assert windows[0.627] == max(windows.values())
    assert gd_steady_state_memory(num_synapses=N, rate=0.2) == 0.0


def test_the_window_is_what_the_exact_theory_still_retains_at_the_end(paper_curves: Mapping[str, TheoryCurves]) -> None:
    for name, rate in (("gd", 1.0), ("half", 0.5)):
        kept = 6000 * paper_curves[name].fraction_retained[-1]
        assert kept == pytest.approx(gd_steady_state_memory(num_synapses=N, rate=rate), rel=0.02)
