"""Sums over repeats of what simulated weights say about every stored pattern, and the estimates from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.association.patterns import Patterns

ROUNDING = 1e-13


@dataclass
class OverlapSums:
    """Running sums in float64, in the order of the batches, so that the same batches give the same bits.

    overlap, overlap_squared: [num_times, T], Σ over repeats of y_k x_k·W_t and of its square; entries with k > t stay 0.
    norm, norm_squared: [num_times], Σ over repeats of ‖W_t‖²/n and of its square.
    """

    overlap: Tensor
    overlap_squared: Tensor
    norm: Tensor
    norm_squared: Tensor

    @classmethod
    def zero(cls, num_times: int, num_patterns: int) -> OverlapSums:
        shape = (num_times, num_patterns)
        return cls(*(torch.zeros(size, dtype=torch.float64) for size in (shape, shape, num_times, num_times)))

    def add(self, patterns: Patterns, snapshots: Tensor, times: Sequence[int]) -> None:
        """Add a batch: `snapshots` are its weights at `times`, float32 [R, n, num_times]."""
        norms = snapshots.square().sum(dim=1).double() / patterns.num_synapses
        self.norm += norms.sum(dim=0)
        self.norm_squared += norms.square().sum(dim=0)
        for stored, late, overlaps in _overlaps(patterns, snapshots, times):
            self.overlap[late, stored] += overlaps.sum(dim=0).T
            self.overlap_squared[late, stored] += overlaps.square_().sum(dim=0).T
        for row, time in enumerate(times):
            self.overlap[row, time:] = 0.0
            self.overlap_squared[row, time:] = 0.0


@dataclass(frozen=True)
class MemoryEstimate:
    """Estimates from R repeats at the times of interest, float64 [num_times].

    first_pattern_snr: mean / standard deviation (over repeats, divisor R − 1) of pattern 1's overlap; infinite where the
        overlap did not vary.
    fraction_retained: share of the patterns k <= t whose mean overlap exceeds its standard deviation. Each pattern's SNR
        is itself estimated, with a relative error of about √(1/(SNR² R) + 1/(2R)), so a few repeats smear this curve
        where many patterns have an SNR near 1: the blackout looks gradual. The exact recursion has no such bias.
    weight_norm: mean of ‖W_t‖²/n; weight_norm_error: its standard error.
    """

    first_pattern_snr: Tensor
    fraction_retained: Tensor
    weight_norm: Tensor
    weight_norm_error: Tensor


def estimate(sums: OverlapSums, *, num_repeats: int, times: Sequence[int]) -> MemoryEstimate:
    """What the sums over `num_repeats` >= 2 repeats say at `times`."""
    mean, deviation = _mean_and_deviation(sums.overlap, sums.overlap_squared, num_repeats)
    norm, norm_deviation = _mean_and_deviation(sums.norm, sums.norm_squared, num_repeats)
    retained = torch.stack([(mean[row, :t] > deviation[row, :t]).double().mean() for row, t in enumerate(times)])
    return MemoryEstimate(
        first_pattern_snr=mean[:, 0] / deviation[:, 0],
        fraction_retained=retained,
        weight_norm=norm,
        weight_norm_error=norm_deviation / num_repeats**0.5,
    )


def _overlaps(patterns: Patterns, snapshots: Tensor, times: Sequence[int]) -> Iterator[tuple[slice, slice, Tensor]]:
    """Per block of patterns: which patterns, which times (those not before the block), and y x·W, float64 [R, block, times]."""
    for first, block in patterns.blocks():
        stored = slice(first, first + len(block))
        late = slice(sum(time <= first for time in times), len(times))
        if late.start == late.stop:
            return
        products = torch.bmm(block.transpose(0, 1), snapshots[:, :, late]).double()
        yield stored, late, products.mul_(patterns.labels[stored].T.unsqueeze(2))


def _mean_and_deviation(total: Tensor, total_squared: Tensor, count: int) -> tuple[Tensor, Tensor]:
    mean = total / count
    spread = total_squared - total * mean
    # What is left of a constant after rounding (weights are float32) is no variance.
    spread[spread <= ROUNDING * total_squared] = 0.0
    return mean, (spread / (count - 1)).sqrt()
