"""What the Forget-Me-Not process asks of the predictors that it keeps."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Statistics = NDArray[Any]
"""What predictors have learned: floats [..., size], sums of what every observation adds, so those of two stretches of time add
up: whoever learned the same since then shares it, and nothing has to be copied."""


class Predictor(Protocol):
    """A family of sequential predictors of observations, uint8 [num_symbols], whose whole knowledge is counts."""

    num_symbols: int
    size: int

    def empty(self, num: int) -> Statistics:
        """Statistics [num, size], zeros, of predictors that know nothing."""

    def entries(self, symbols: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The entries [num_entries] of statistics that p(symbols) depends on, and to which learning it adds one each."""

    def log_likelihoods(self, rows: Statistics) -> NDArray[np.float64]:
        """log p [num] of one observation in nats, from its entries [num, num_entries] in the statistics of `num` predictors."""

    def log_likelihoods_of_all(self, statistics: Statistics, examples: NDArray[np.uint8]) -> NDArray[np.float64]:
        """log p [num_examples, num] of each of several observations [num_examples, num_symbols] alone; nothing is learned."""
