"""Partition tree weighting: a prior over all ways to cut time into binary segments, mixed exactly, one observation at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError

_LOG_HALF = math.log(0.5)


class PartitionTree:
    """PTW_d(x) = ½ ρ(x) + ½ PTW_{d−1}(first half) · PTW_{d−1}(second half), PTW_0 = ρ (Veness et al. 2013; paper.md 5.5).

    Only the segments that are not over are kept, one per level: level 0 is the whole of 2^depth observations, level `depth`
    a single one. What happens within a segment, ρ, is up to the caller, who says how probable each of them is so far. After
    2^depth observations another tree begins. Logarithms are natural; time is O(depth) per observation.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.num_observations = 0
        self._over = [0.0] * (depth + 1)  # log PTW of the finished first half of each level's segment
        self._weighted = [0.0] * (depth + 1)  # log PTW of what came of each level's segment so far
        self._log_before = 0.0

    @property
    def log_probability(self) -> float:
        """log p of all observations."""
        return self._log_before + self._weighted[0]

    def begin(self) -> int:
        """Make room for one more observation: the first level at which a segment begins with it, as on all finer levels."""
        time = self.num_observations % (1 << self.depth)
        first = 0 if time == 0 else self.depth - (time ^ (time - 1)).bit_length() + 1
        if first == 0:
            self._log_before += self._weighted[0]
        else:
            self._over[first - 1] = self._weighted[first]
        num_new = self.depth + 1 - first
        self._over[first:] = [0.0] * num_new
        self._weighted[first:] = [0.0] * num_new
        return first

    def end(self, log_segments: Sequence[float]) -> None:
        """The observation is over; `log_segments` [depth + 1] are log ρ of each level's segment, it included."""
        self.num_observations += 1
        finer = self._weighted[self.depth] = log_segments[self.depth]
        for level in range(self.depth - 1, -1, -1):
            whole, cut = log_segments[level], finer + self._over[level]
            high, low = (whole, cut) if whole > cut else (cut, whole)
            finer = self._weighted[level] = _LOG_HALF + high + math.log1p(math.exp(low - high))

    def level_posterior(self, log_segments: Sequence[float]) -> NDArray[np.float64]:
        """The probability [depth + 1] that the segment which the last observation belongs to is that of each level."""
        stop: NDArray[np.float64] = np.exp(_LOG_HALF + np.array(log_segments) - np.array(self._weighted))
        stop[-1] = 1.0
        go_on = np.cumprod(1.0 - np.minimum(stop[:-1], 1.0))
        stop[1:] *= go_on
        return stop

    def state(self) -> dict[str, Tensor]:
        """Everything that the next observation's probability depends on."""
        sums = torch.tensor([self._over, self._weighted, [self._log_before] * (self.depth + 1)], dtype=torch.float64)
        return {"sums": sums, "num_observations": torch.tensor(self.num_observations, dtype=torch.int64)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it is that of a tree of another depth."""
        if set(state) != {"sums", "num_observations"} or state["sums"].shape != (3, self.depth + 1):
            raise StateFormatError(f"partition tree: the state holds {sorted(state)}, expected that of depth {self.depth}")
        self._over, self._weighted, before = state["sums"].tolist()
        self._log_before = before[0]
        self.num_observations = int(state["num_observations"])
