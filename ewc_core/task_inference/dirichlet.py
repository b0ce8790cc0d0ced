"""Predictors whose whole knowledge is counts: one categorical distribution per symbol, each with a Dirichlet prior."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistics = NDArray[Any]
"""What a predictor has learned: floats [..., size], the sum of what every observation adds."""

_MAX_ENTRIES = 1 << 15
"""Logarithms taken at once: 128 KiB stay in a core's own cache."""


class FactoredDirichlet:
    """p(x) = Π_s (n[s, x_s] + a) / (N + a·num_levels): symbols [num_symbols] are independent; n counts levels, a is the prior.

    Statistics are n, row by row, and N, the number of observations: [num_symbols · num_levels + 1] of `dtype`. They are whole
    numbers, so they are exact up to 2^24 observations in float32. Statistics of two stretches of time add up, which is what
    makes keeping, reverting and sharing cheap. Log-likelihoods are in nats, sums over symbols.
    """

    def __init__(
        self, num_symbols: int, num_levels: int, *, prior_count: float, dtype: type[np.float32] | type[np.float64] = np.float32
    ) -> None:
        self.num_symbols, self.num_levels = num_symbols, num_levels
        self.size = num_symbols * num_levels + 1
        self.dtype = dtype
        self._prior = dtype(prior_count)
        self._prior_total = np.float64(prior_count * num_levels)
        self._num_rows_at_once = max(1, _MAX_ENTRIES // num_symbols)
        self._offsets = np.arange(num_symbols) * num_levels

    def empty(self, num: int) -> Statistics:
        """Statistics [num, size] of predictors that know nothing."""
        return np.zeros((num, self.size), dtype=self.dtype)

    def entries(self, symbols: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The entries [num_symbols + 1] of statistics that p(symbols) depends on, and to which learning it adds one each."""
        at = np.empty(self.num_symbols + 1, dtype=np.int64)
        np.add(self._offsets, symbols, out=at[:-1])
        at[-1] = self.size - 1
        return at

    def log_likelihoods(self, rows: Statistics) -> NDArray[np.float64]:
        """log p [num] of one observation, from its entries [num, num_symbols + 1] in the statistics of `num` predictors."""
        totals = np.log(rows[:, -1] + self._prior_total)
        sums = np.empty(len(rows))
        for start in range(0, len(rows), self._num_rows_at_once):
            logs = rows[start : start + self._num_rows_at_once, :-1] + self._prior
            np.log(logs, out=logs)
            np.add.reduce(logs, axis=1, dtype=np.float64, out=sums[start : start + self._num_rows_at_once])
        sums -= self.num_symbols * totals
        return sums

    def log_likelihoods_of_all(self, statistics: Statistics, examples: NDArray[np.uint8]) -> NDArray[np.float64]:
        """log p [num_examples, num] of each of several observations [num_examples, num_symbols] alone, nothing learned."""
        at = self._offsets + examples
        result = np.empty((len(examples), len(statistics)))
        for column, each in enumerate(statistics):
            logs = np.log(each[:-1] + self._prior)
            total = np.log(float(each[-1]) + self._prior_total)
            result[:, column] = logs.take(at).sum(axis=1, dtype=np.float64) - self.num_symbols * total
        return result
