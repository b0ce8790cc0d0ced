"""Exact mean and variance of what a linear readout remembers, at finite n (no simulation, no large-n limit).

n synapses, W_0 = 0; patterns x_t uniform in {±1/√n}ⁿ (so ‖x_t‖ = 1), labels y_t = ±1, all independent; at step t

    W_t = W_{t−1} − λ_t (x_t·W_{t−1} − y_t) x_t

The overlap of pattern k at time t >= k is y_k x_k·W_t; expectations are over all patterns and labels:

    q_t    = E‖W_t‖²               q_t = q_{t−1} (1 − 2λ_t/n + λ_t²/n) + λ_t²
    m_k(t) = E[overlap]            m_k(k) = λ_k;    m_k(t) = m_k(t−1) (1 − λ_t/n)
    M_k(t) = E[overlap²]           M_k(k) = (1−λ_k)² q_{k−1}/n + λ_k²
                                   M_k(t) = M_k(t−1) (1 − 2λ_t/n + 2λ_t²/n²) + λ_t² [q_{t−1}(1 − 2/n)/n² + 1/n]

signal S_k(t) = m_k(t); noise = √(M_k(t) − m_k(t)²), a standard deviation; SNR = signal / noise; pattern k is retained at
time t if SNR > 1; fraction retained at t = (retained k <= t) / t.

Source: Kirkpatrick et al. 2017, supplement; the noise there is the large-n q/n (`closed_forms.py`), here it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TheoryCurves:
    """Curves over time, float64 [num_patterns]; entry t − 1 belongs to time t.

    weight_norm: E‖W_t‖²/n, the paper's noise² ("q/n"); None for a rule whose weights have a fixed norm.
    first_pattern_snr: SNR of pattern 1; infinite at times when its overlap does not vary (t = 1).
    fraction_retained: in [0, 1].
    """

    weight_norm: FloatArray | None
    first_pattern_snr: FloatArray
    fraction_retained: FloatArray


def expected_weight_norm(rates: FloatArray, *, num_synapses: int) -> FloatArray:
    """q_0 … q_T = E‖W_t‖², float64 [T + 1] (a sum over synapses, not a mean)."""
    norms = np.zeros(len(rates) + 1)
    for t, rate in enumerate(rates, start=1):
        norms[t] = norms[t - 1] * (1.0 - (2.0 * rate - rate * rate) / num_synapses) + rate * rate
    return norms


def readout_theory(rates: FloatArray, *, num_synapses: int) -> TheoryCurves:
    """The exact curves of a rule with step sizes `rates` [T]. Costs T²/2 updates of (m_k, M_k)."""
    n, num_patterns = num_synapses, len(rates)
    norms = expected_weight_norm(rates, num_synapses=n)
    signal, second_moment = np.zeros(num_patterns), np.zeros(num_patterns)
    snr, fraction = np.zeros(num_patterns), np.zeros(num_patterns)
    for index, rate in enumerate(rates):
        m, m2, norm = signal[:index], second_moment[:index], norms[index]
        m2 *= 1.0 - 2.0 * rate / n + 2.0 * rate * rate / (n * n)
        m2 += rate * rate * (norm * (1.0 - 2.0 / n) / (n * n) + 1.0 / n)
        m *= 1.0 - rate / n
        signal[index] = rate
        second_moment[index] = (1.0 - rate) ** 2 * norm / n + rate * rate
        seen = slice(0, index + 1)
        # SNR > 1 without the division: m > 0 and m² > M − m².
        fraction[index] = np.count_nonzero(second_moment[seen] < 2.0 * signal[seen] * signal[seen]) / (index + 1)
        variance = second_moment[0] - signal[0] * signal[0]
        snr[index] = signal[0] / np.sqrt(variance) if variance > 0.0 else np.inf
    return TheoryCurves(weight_norm=norms[1:] / n, first_pattern_snr=snr, fraction_retained=fraction)
