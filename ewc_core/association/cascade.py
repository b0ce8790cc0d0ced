"""The cascade model (Fusi, Drew and Abbott 2005): binary synapses that grow stiff where they are confirmed.

A synapse has a strength w = ±1 and a level of metaplasticity i = 1 … m. Every pattern brings every synapse one event,
potentiating or depressing. With x = ½,

    an event against its strength flips it, to level 1, with probability   q_i = x^(i−1) for i < m,  q_m = x^(m−1)/(1−x)
    an event that confirms its strength takes it one level deeper with     p_i = x^i/(1−x) for i < m,  p_m = 0

(a probability above 1 counts as 1: with one level, q_1 = 1). When both kinds of event are equally likely, all 2m states
are equally likely in equilibrium.

Conventions, so that its curves compare with those of the linear rules (`theory.py`):

    weights  W_i = w_i/√n, so ‖W‖ = 1 always, and the overlap of a pattern that is held perfectly is 1
    event    pattern t potentiates synapse i if y_t x_ti > 0, and depresses it otherwise (Hebb, no error term)
    start    every synapse is in a state drawn from the equilibrium, not at W = 0
    overlap  y_k x_k·W_t; signal, noise, SNR > 1 and fraction retained have the same definitions

Events of different synapses are independent, so with S(d) the mean of (event k)·w at age d = t − k, exactly at any n

    signal = S(d);    noise² = (1 − S(d)²)/n;    S(d) = Σ_s π T₊ T̄^d [s] w(s),    T̄ = ½(T₊ + T₋),  π uniform

and both depend on t and k only by the age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ewc_core.association.theory import FloatArray, TheoryCurves

DECAY = 0.5


@dataclass(frozen=True)
class SynapseChain:
    """What an event does to a synapse, for each of its 2m states: s < m is depressed at level m − s, else potentiated at
    level s − m + 1, so that deep states are at both ends.

    target, chance: [2, 2m], rows for depressing (0) and potentiating (1) events: state s becomes `target` with
    probability `chance`, and stays as it is otherwise.
    """

    target: NDArray[np.int64]
    chance: FloatArray

    @property
    def num_states(self) -> int:
        return int(self.target.shape[1])

    @property
    def strengths(self) -> FloatArray:
        """w(s) = ±1 of every state, [2m]."""
        return np.where(np.arange(self.num_states) < self.num_states // 2, -1.0, 1.0)

    def transition(self, event: int) -> FloatArray:
        """[2m, 2m], rows sum to 1: from state s to state s' by one event of this kind."""
        states = np.arange(self.num_states)
        matrix = np.diag(1.0 - self.chance[event])
        matrix[states, self.target[event]] += self.chance[event]
        return matrix


def synapse_chain(flip: Sequence[float], deepen: Sequence[float]) -> SynapseChain:
    """A chain of m levels from q_1 … q_m (`flip`) and p_1 … p_{m−1} (`deepen`)."""
    m = len(flip)
    to_potentiated = np.full(m, m)
    deeper = np.minimum(np.arange(m) + 1, m - 1) + m
    target = np.concatenate([to_potentiated, deeper])
    chance = np.concatenate([np.asarray(flip, dtype=np.float64)[::-1], [*deepen, 0.0]])
    # A depressing event is a potentiating one seen from the other end.
    return SynapseChain(target=np.stack([2 * m - 1 - target[::-1], target]), chance=np.stack([chance[::-1], chance]))


def cascade_chain(num_levels: int) -> SynapseChain:
    """The cascade of m = `num_levels` levels."""
    x, m = DECAY, num_levels
    flip = [x ** (i - 1) for i in range(1, m)] + [min(1.0, x ** (m - 1) / (1.0 - x))]
    return synapse_chain(flip, [x**i / (1.0 - x) for i in range(1, m)])


def signal_by_age(chain: SynapseChain, num_ages: int) -> FloatArray:
    """S(0) … S(num_ages − 1), float64: the mean of (event)·w, `age` events after it, from a uniform start."""
    depress, potentiate = chain.transition(0), chain.transition(1)
    average = 0.5 * (depress + potentiate)
    # The mean over both kinds of event k is that of one kind: they mirror each other.
    after_event = np.full(chain.num_states, 1.0 / chain.num_states) @ potentiate
    # T̄^d w is odd (its mirror image is its negative) and decays to 0; kept odd, rounding leaves nothing behind.
    expected_strength = chain.strengths
    signal = np.empty(num_ages)
    for age in range(num_ages):
        signal[age] = after_event @ expected_strength
        expected_strength = average @ expected_strength
        expected_strength = 0.5 * (expected_strength - expected_strength[::-1])
    return signal


def cascade_theory(chain: SynapseChain, *, num_synapses: int, num_patterns: int) -> TheoryCurves:
    """The exact curves of n such synapses; their weights have norm 1, so there is no curve of the norm."""
    signal = signal_by_age(chain, num_patterns)
    variance = np.maximum(1.0 - signal * signal, 0.0) / num_synapses
    noise = np.sqrt(variance)
    with np.errstate(divide="ignore"):
        snr = signal / noise
    retained = np.cumsum(signal > noise)
    return TheoryCurves(
        weight_norm=None, first_pattern_snr=snr, fraction_retained=retained / np.arange(1, num_patterns + 1, dtype=np.float64)
    )
