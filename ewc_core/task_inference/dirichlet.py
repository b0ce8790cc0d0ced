"""Predictors whose whole knowledge is counts: one categorical distribution per symbol, each with a Dirichlet prior."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ewc_core.task_inference.predictor import Statistics

_MIN_SYMBOLS_FOR_PRODUCTS = 64


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
        counts: Statistics = rows[:, :-1] + self._prior
        # A product of four counts fits into a float, and takes one logarithm instead of four.
        quarter = self.num_symbols // 4 if self.num_symbols >= _MIN_SYMBOLS_FOR_PRODUCTS else 0
        if quarter > 0:
            products = counts[:, :quarter]
            for start in range(quarter, 4 * quarter, quarter):
                products *= counts[:, start : start + quarter]
            counts = np.concatenate([products, counts[:, 4 * quarter :]], axis=1)
        np.log(counts, out=counts)
        sums: NDArray[np.float64] = np.add.reduce(counts, axis=1, dtype=np.float64) - self.num_symbols * totals
        return sums

    def log_likelihoods_of_all(self, statistics: Statistics, examples: NDArray[np.uint8]) -> NDArray[np.float64]:
        """log p [num_examples, num] of each of several observations [num_examples, num_symbols] alone, nothing learned."""
        table = np.empty((self.size - 1, len(statistics)), dtype=self.dtype)
        np.log(statistics[:, :-1].T + self._prior, out=table)
        at = torch.from_numpy((self._offsets + examples).astype(np.int32))
        sums = functional.embedding_bag(at, torch.from_numpy(table), mode="sum").numpy().astype(np.float64)
        result: NDArray[np.float64] = sums - self.num_symbols * np.log(statistics[:, -1] + self._prior_total)
        return result
