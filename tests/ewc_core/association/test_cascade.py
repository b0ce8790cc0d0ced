from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from ewc_core.association.cascade import SynapseChain, cascade_chain, cascade_theory, signal_by_age, synapse_chain
from ewc_core.association.cascade_simulation import simulate_cascade
from ewc_core.association.landmarks import first_lost_at
from ewc_core.association.moments import OverlapSums, estimate
from ewc_core.association.patterns import draw_patterns


@pytest.mark.parametrize("num_levels", [1, 2, 5, 24])
def test_every_state_is_equally_likely_in_equilibrium(num_levels: int) -> None:
    chain = cascade_chain(num_levels)
    uniform = np.full(2 * num_levels, 0.5 / num_levels)
    for event in (0, 1):
        assert chain.transition(event).sum(axis=1) == pytest.approx(np.ones(2 * num_levels), abs=1e-15)
        assert chain.transition(event).min() >= 0.0
    assert uniform @ (chain.transition(0) + chain.transition(1)) / 2.0 == pytest.approx(uniform, abs=1e-15)


def test_a_cascade_of_three_levels_has_the_published_chances() -> None:
    """x = ½: q = 1, ½, ½ and p = 1, ½; states from deepest depressed to deepest potentiated."""
    potentiate = np.zeros((6, 6))
    potentiate[0, [0, 3]] = 0.5
    potentiate[1, [1, 3]] = 0.5
    potentiate[2, 3] = 1.0
    potentiate[3, 4] = 1.0
    potentiate[4, [4, 5]] = 0.5
    potentiate[5, 5] = 1.0
    assert cascade_chain(3).transition(1).tolist() == potentiate.tolist()
    assert cascade_chain(3).transition(0).tolist() == potentiate[::-1, ::-1].tolist()


def test_signal_is_the_mean_over_all_sequences_of_events() -> None:
    chain = cascade_chain(3)
    for age in range(5):
        total = 0.0
        for events in product((0, 1), repeat=age + 1):
            occupancy = np.full(6, 1 / 6)
            for event in events:
                occupancy = occupancy @ chain.transition(event)
            total += (2 * events[0] - 1) * float(occupancy @ chain.strengths)
        assert signal_by_age(chain, 5)[age] == pytest.approx(total / 2 ** (age + 1), rel=1e-12)


@pytest.mark.parametrize("flip", [0.05, 0.3])
def test_a_synapse_of_one_level_forgets_exponentially(flip: float) -> None:
    """S(d) = q (1 − q)^d."""
    assert signal_by_age(synapse_chain([flip], []), 200) == pytest.approx(flip * (1.0 - flip) ** np.arange(200), rel=1e-10)


def test_a_cascade_forgets_as_a_power_law_where_one_level_forgets_exponentially() -> None:
    """Exponents between −½ and −1 over three decades, up to about 2^m patterns, and exponential beyond."""
    ages = [10, 30, 100, 300, 1000, 3000, 10_000]
    cascade = _exponents(signal_by_age(cascade_chain(16), 10_001), ages)
    assert all(-1.0 < exponent < -0.5 for exponent in cascade)
    single = _exponents(signal_by_age(synapse_chain([0.02], []), 3001), ages[:6])
    assert single[0] > -0.5
    assert single[-1] < -20.0
    assert _exponents(signal_by_age(cascade_chain(6), 3001), [300, 1000])[0] < -10.0


def test_a_single_level_of_the_cascade_holds_the_latest_pattern_only() -> None:
    theory = cascade_theory(cascade_chain(1), num_synapses=100, num_patterns=10)
    assert theory.fraction_retained.tolist() == pytest.approx([1.0 / t for t in range(1, 11)])


def test_what_is_retained_is_a_window_of_the_latest_patterns() -> None:
    theory = cascade_theory(cascade_chain(5), num_synapses=1000, num_patterns=400)
    lost = first_lost_at(theory.fraction_retained)
    assert lost is not None
    later = np.arange(lost, 401)
    assert theory.fraction_retained[lost - 1 :] == pytest.approx((lost - 1) / later)
    assert theory.weight_norm is None


@pytest.mark.parametrize("chain", [cascade_chain(4), cascade_chain(1), synapse_chain([0.4, 0.3], [0.2])])
def test_simulated_synapses_are_within_four_standard_errors_of_their_chain(chain: SynapseChain) -> None:
    n, num_patterns, num_repeats, times = 24, 30, 3000, [1, 2, 3, 5, 10, 30]
    patterns = draw_patterns(1, range(num_repeats), num_synapses=n, num_patterns=num_patterns)
    weights = simulate_cascade(chain, patterns, times, seed=1, repeats=range(num_repeats))
    assert torch.allclose(weights.abs(), torch.full_like(weights, n**-0.5))
    sums = OverlapSums.zero(len(times), num_patterns)
    sums.add(patterns, weights, times)
    signal = signal_by_age(chain, num_patterns)
    for row, t in enumerate(times):
        mean = sums.overlap[row, :t].numpy() / num_repeats
        square = sums.overlap_squared[row, :t].numpy() / num_repeats
        expected = signal[:t][::-1]
        variance = (1.0 - expected**2) / n
        # The square of a nearly normal overlap m + s·z has variance 4m²s² + 2s⁴.
        assert np.all(np.abs(mean - expected) <= 4.0 * np.sqrt(variance / num_repeats) + 1e-6)
        spread = np.sqrt((4.0 * expected**2 * variance + 2.0 * variance**2) / num_repeats)
        assert np.all(np.abs(square - expected**2 - variance) <= 4.0 * spread + 1e-6)


def test_simulated_snr_and_fraction_are_those_of_the_theory() -> None:
    n, num_patterns, num_repeats, times = 100, 60, 1500, [2, 10, 30, 60]
    chain = cascade_chain(4)
    patterns = draw_patterns(0, range(num_repeats), num_synapses=n, num_patterns=num_patterns)
    sums = OverlapSums.zero(len(times), num_patterns)
    sums.add(patterns, simulate_cascade(chain, patterns, times, seed=0, repeats=range(num_repeats)), times)
    found = estimate(sums, num_repeats=num_repeats, times=times)
    theory = cascade_theory(chain, num_synapses=n, num_patterns=num_patterns)
    for row, t in enumerate(times):
        snr = theory.first_pattern_snr[t - 1]
        assert abs(float(found.first_pattern_snr[row]) - snr) < 4.0 * ((1.0 + snr**2 / 2.0) / num_repeats) ** 0.5
        assert float(found.fraction_retained[row]) == pytest.approx(theory.fraction_retained[t - 1], abs=1.5 / t)


def _exponents(signal: np.ndarray, ages: list[int]) -> list[float]:
    return [float(np.log(signal[b] / signal[a]) / np.log(b / a)) for a, b in pairwise(ages)]
