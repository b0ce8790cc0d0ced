from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ewc_core.association.moments import OverlapSums, estimate
from ewc_core.association.patterns import Patterns, draw_patterns
from ewc_core.association.rates import learning_rates
from ewc_core.association.simulation import simulate_readout
from ewc_core.association.theory import readout_theory
from ewc_core.specs import EwcRule

N, T = 21, 600
TIMES = [2, 300, 599]


def _unpacked(patterns: Patterns) -> Tensor:
    return torch.cat([block for _, block in patterns.blocks()]).double()


def test_patterns_are_signs_over_root_n() -> None:
    x = _unpacked(draw_patterns(0, range(3), num_synapses=N, num_patterns=T))
    assert x.shape == (T, 3, N)
    assert torch.allclose(x.abs(), torch.full_like(x, N**-0.5), rtol=1e-6)


def test_signs_labels_and_repeats_are_balanced_and_uncorrelated() -> None:
    """Each mean of K independent signs is within 5/√K of 0."""
    patterns = draw_patterns(0, range(4), num_synapses=N, num_patterns=T)
    x, y = _unpacked(patterns) * N**0.5, patterns.labels.double()
    for signs in (x, y, x[:, 0] * x[:, 1], y[:, 0] * y[:, 1], x * y.unsqueeze(2), x[1:] * x[:-1], x[..., 1:] * x[..., :-1]):
        assert abs(float(signs.mean())) < 5.0 / signs.numel() ** 0.5


def test_a_repeat_is_the_same_in_every_batch() -> None:
    together = draw_patterns(5, range(4), num_synapses=N, num_patterns=T)
    alone = draw_patterns(5, range(2, 3), num_synapses=N, num_patterns=T)
    assert torch.equal(together.bits[2:3], alone.bits)
    assert torch.equal(together.labels[:, 2:3], alone.labels)
    assert not torch.equal(alone.bits, draw_patterns(6, range(2, 3), num_synapses=N, num_patterns=T).bits)


def test_the_readout_follows_its_rule_step_by_step() -> None:
    patterns = draw_patterns(1, range(3), num_synapses=N, num_patterns=T)
    rates = learning_rates(EwcRule(), num_synapses=N, num_patterns=T)
    found = simulate_readout(patterns, rates, TIMES)
    x, y = _unpacked(patterns).numpy(), patterns.labels.numpy()
    for repeat in range(3):
        weights = np.zeros(N)
        for t in range(1, T + 1):
            weights -= rates[t - 1] * (x[t - 1, repeat] @ weights - y[t - 1, repeat]) * x[t - 1, repeat]
            if t in TIMES:
                assert found[repeat, :, TIMES.index(t)].numpy() == pytest.approx(weights, abs=1e-5)


def test_estimates_are_means_and_deviations_over_repeats() -> None:
    """The sums of two batches against all overlaps at once, in float64; weights may be any."""
    num_repeats = 6
    patterns = [draw_patterns(2, repeats, num_synapses=N, num_patterns=T) for repeats in (range(4), range(4, num_repeats))]
    weights = torch.randn(num_repeats, N, len(TIMES), generator=torch.Generator().manual_seed(0))
    x = torch.cat([_unpacked(part) for part in patterns], dim=1)
    y = torch.cat([part.labels for part in patterns], dim=1).double()
    # Some patterns are held well, others not.
    weights += torch.einsum("krn,kr,k->rn", x, y, torch.linspace(0, 1, T).double()).float().unsqueeze(2)
    sums = OverlapSums.zero(len(TIMES), T)
    sums.add(patterns[0], weights[:4], TIMES)
    sums.add(patterns[1], weights[4:], TIMES)
    found = estimate(sums, num_repeats=num_repeats, times=TIMES)

    overlaps = torch.einsum("krn,rnt,kr->tkr", x, weights.double(), y)
    norms = weights.double().square().sum(dim=1) / N
    snr = overlaps.mean(dim=2) / overlaps.std(dim=2)
    fractions = [float((snr[row, :t] > 1.0).double().mean()) for row, t in enumerate(TIMES)]
    assert found.first_pattern_snr.tolist() == pytest.approx(snr[:, 0].tolist(), rel=1e-4)
    assert found.fraction_retained.tolist() == fractions
    assert 0.0 < fractions[-1] < 1.0
    assert found.weight_norm.tolist() == pytest.approx(norms.mean(dim=0).tolist(), rel=1e-6)
    assert found.weight_norm_error.tolist() == pytest.approx((norms.std(dim=0) / num_repeats**0.5).tolist(), rel=1e-4)


def test_overlaps_that_do_not_vary_have_no_noise() -> None:
    patterns = draw_patterns(0, range(8), num_synapses=N, num_patterns=2)
    held = (_unpacked(patterns)[0] * patterns.labels[0].double().unsqueeze(1)).float().unsqueeze(2)
    sums = OverlapSums.zero(1, 2)
    sums.add(patterns, held, [1])
    found = estimate(sums, num_repeats=8, times=[1])
    assert float(found.first_pattern_snr) == float("inf")
    assert float(found.fraction_retained) == 1.0


def test_simulated_ewc_is_within_four_standard_errors_of_the_exact_recursion() -> None:
    n, num_patterns, num_repeats, times = 40, 120, 1000, [2, 10, 40, 80, 120]
    rates = learning_rates(EwcRule(), num_synapses=n, num_patterns=num_patterns)
    patterns = draw_patterns(3, range(num_repeats), num_synapses=n, num_patterns=num_patterns)
    sums = OverlapSums.zero(len(times), num_patterns)
    sums.add(patterns, simulate_readout(patterns, rates, times), times)
    found, theory = estimate(sums, num_repeats=num_repeats, times=times), readout_theory(rates, num_synapses=n)
    assert theory.weight_norm is not None
    for row, t in enumerate(times):
        norm_distance = float(found.weight_norm[row]) - theory.weight_norm[t - 1]
        assert abs(norm_distance) < 4.0 * float(found.weight_norm_error[row])
        snr = theory.first_pattern_snr[t - 1]
        snr_distance = float(found.first_pattern_snr[row]) - snr
        assert abs(snr_distance) < 4.0 * ((1.0 + snr**2 / 2.0) / num_repeats) ** 0.5
        assert float(found.fraction_retained[row]) == pytest.approx(theory.fraction_retained[t - 1], abs=0.06)
