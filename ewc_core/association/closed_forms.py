"""The paper's large-n closed forms: the weights count as uncorrelated with the pattern that probes them.

Signal S_k(t) = λ_k Π_{k<j<=t} (1 − λ_j/n); noise² = q/n with dq/dt = λ² − (λ/n)(2−λ) q, q(0) = 0; age = t − k.

    gd, any λ:   S = λ (1 − λ/n)^age ≈ λ e^{−λ·age/n}        noise² = λ/(2−λ) · (1 − e^{−λ(2−λ)t/n})
    ewc:         S = n/(n+t) for every k                     noise² = 1/s − (e^{−1/s}/s²) [Ei(1/s) + e − Ei(1)],  s = 1 + t/n

The default rate of gd, n/(n+1), counts as λ = 1. Source: Kirkpatrick et al. 2017, supplement, S10-S32.
"""

from __future__ import annotations

import math

EULER_GAMMA = 0.5772156649015329


def exponential_integral(x: float) -> float:
    """Ei(x) = γ + ln x + Σ_{m>=1} x^m/(m·m!) for x > 0. All terms are positive, so no digits cancel; meant for x <= 40."""
    total, term, m = 0.0, 1.0, 0
    while m == 0 or term / m > 1e-17 * total:
        m += 1
        term *= x / m
        total += term / m
    return EULER_GAMMA + math.log(x) + total


def gd_noise_variance(t: float, *, num_synapses: int, rate: float = 1.0) -> float:
    """noise² = q/n of gradient descent with constant `rate` after t patterns."""
    return rate / (2.0 - rate) * -math.expm1(-rate * (2.0 - rate) * t / num_synapses)


def gd_signal(age: float, *, num_synapses: int, rate: float = 1.0) -> float:
    """Signal of the pattern stored `age` = t − k steps ago."""
    return rate * math.exp(-rate * age / num_synapses)


def ewc_noise_variance(t: float, *, num_synapses: int) -> float:
    """noise² = q/n of EWC after t patterns: ≈ t/n for t ≪ n and ≈ n/t for t ≫ n."""
    s = 1.0 + t / num_synapses
    bracket = exponential_integral(1.0 / s) + math.e - exponential_integral(1.0)
    return 1.0 / s - math.exp(-1.0 / s) / (s * s) * bracket


def ewc_signal(t: float, *, num_synapses: int) -> float:
    """Signal of every stored pattern after t patterns: the same for all, hence the blackout."""
    return num_synapses / (num_synapses + t)


def gd_first_pattern_snr(t: float, *, num_synapses: int, rate: float = 1.0) -> float:
    """SNR of pattern 1 at time t (its age is t − 1): ≈ √(n/t) for t ≪ n, then exponential decay."""
    noise = math.sqrt(gd_noise_variance(t, num_synapses=num_synapses, rate=rate))
    return gd_signal(t - 1, num_synapses=num_synapses, rate=rate) / noise


def ewc_first_pattern_snr(t: float, *, num_synapses: int) -> float:
    """SNR of pattern 1 at time t: ≈ √(n/t) for t ≪ n and for t ≫ n."""
    return ewc_signal(t, num_synapses=num_synapses) / math.sqrt(ewc_noise_variance(t, num_synapses=num_synapses))


def gd_steady_state_memory(*, num_synapses: int, rate: float = 1.0) -> float:
    """How many of the latest patterns gradient descent retains for ever: (n/2λ) ln(2λ(2−λ)), or 0 if it retains none.

    Largest near λ = 0.627, where it is 0.4333 n.
    """
    return max(0.0, num_synapses / (2.0 * rate) * math.log(2.0 * rate * (2.0 - rate)))
