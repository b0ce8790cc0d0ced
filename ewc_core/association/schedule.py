"""When the simulation is looked at, and how its repeats are cut into batches: both follow from the spec alone."""

from __future__ import annotations

import numpy as np

CHECK_TIMES = (100, 500, 1000, 2000, 5000)
SLOPE_TIMES = ((10, 100), (100, 300), (1000, 2000), (3000, 6000))

BATCH_UPDATES = 50_000_000
"""Synapse updates (repeats x synapses x patterns) of one batch: about a second of one core."""

BATCH_WEIGHTS = 1 << 18
"""Bound on repeats x synapses of a batch: its weights at 60 times are then below 64 MiB."""


def record_times(*, num_synapses: int, num_patterns: int) -> list[int]:
    """About 60 times from 2 to T, increasing: spread evenly in log t and in t, with those that checks and slopes need, and
    the capacity n. At t = 1 the only overlap is the same in every repeat, so its SNR is not defined."""
    spread = [*np.geomspace(2, num_patterns, 30), *np.linspace(2, num_patterns, 25)]
    named = [num_synapses, *CHECK_TIMES, *(time for pair in SLOPE_TIMES for time in pair)]
    return sorted({round(time) for time in spread} | {time for time in named if 2 <= time <= num_patterns})


def repeat_batches(*, num_synapses: int, num_patterns: int, num_repeats: int) -> list[range]:
    """The repeats 0 … R − 1 in consecutive batches of one size (the last may be smaller), each at least one repeat."""
    size = min(BATCH_UPDATES // (num_synapses * num_patterns), BATCH_WEIGHTS // num_synapses, num_repeats)
    size = max(1, size)
    return [range(first, min(first + size, num_repeats)) for first in range(0, num_repeats, size)]
