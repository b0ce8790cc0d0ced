"""The Forget-Me-Not process as it is written down in paper.md 5.5, with a copy of everything for everyone."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Coin:
    """A KT estimator that remembers all it has learned."""

    counts: list[float] = field(default_factory=lambda: [0.5, 0.5])
    seen: list[int] = field(default_factory=list)

    def log_p(self, bit: int) -> float:
        """log p of one bit."""
        return math.log(self.counts[bit] / sum(self.counts))

    def update(self, bit: int) -> None:
        """Learn one bit."""
        self.counts[bit] += 1
        self.seen.append(bit)


class Mixture:
    """A Bayes mixture over clones of a pool and a fresh coin."""

    def __init__(self, pool: list[tuple[int, Coin]]) -> None:
        self.coins = [copy.deepcopy(coin) for _, coin in pool] + [Coin()]
        self.ids: list[int | None] = [number for number, _ in pool] + [None]
        self.log_weights = [math.log(0.5 / len(pool)) for _ in pool] + [math.log(0.5 if pool else 1.0)]
        self.log_likelihoods = [0.0] * len(self.coins)
        self.log_p, self.seen = 0.0, []

    def update(self, bit: int) -> None:
        """Learn one bit."""
        for number, coin in enumerate(self.coins):
            log_p = coin.log_p(bit)
            self.log_weights[number] += log_p
            self.log_likelihoods[number] += log_p
            coin.update(bit)
        self.log_p = float(np.logaddexp.reduce(self.log_weights))
        self.seen.append(bit)


class LiteralProcess:
    """With reservoirs that hold everything, and a pool that is never full."""

    def __init__(self, depth: int, min_level: int) -> None:
        self.depth, self.min_level = depth, min_level
        self.pool: list[tuple[int, Coin]] = []
        self.num_ever = self.time = 0
        self.mixtures = [Mixture([])] * (depth + 1)
        self.weighted, self.buffer = [0.0] * (depth + 1), [0.0] * (depth + 1)

    def step(self, bit: int) -> float:
        """log p of the next bit."""
        self._prepare()
        before = self._weigh()[0]
        for mixture in {id(mixture): mixture for mixture in self.mixtures}.values():
            mixture.update(bit)
        self.weighted = self._weigh()
        self.time += 1
        return self.weighted[0] - before

    def _weigh(self) -> list[float]:
        out = [0.0] * self.depth + [self.mixtures[self.depth].log_p]
        for level in range(self.depth - 1, -1, -1):
            whole, cut = self.mixtures[level].log_p, out[level + 1] + self.buffer[level]
            out[level] = float(np.logaddexp(math.log(0.5) + whole, math.log(0.5) + cut))
        return out

    def _prepare(self) -> None:
        now = self.time + 1
        node = 0 if now == 1 else self.depth - ((now - 1) ^ (now - 2)).bit_length()
        self.buffer[node] = self.weighted[node + 1]
        for level in range(node + 1, self.depth + 1):
            if self.mixtures[level].seen and self.depth - level >= self.min_level:
                self._close(self.mixtures[level])
        fresh = Mixture(self.pool)
        for level in range(node + 1, self.depth + 1):
            self.mixtures[level] = fresh
            self.weighted[level] = self.buffer[level] = 0.0

    def _close(self, mixture: Mixture) -> None:
        number = int(np.argmax(mixture.log_likelihoods))
        best = copy.deepcopy(mixture.coins[number])
        for place, (entry, coin) in enumerate(self.pool):
            if entry == mixture.ids[number] and sum(map(best.log_p, coin.seen)) > sum(map(coin.log_p, coin.seen)) + 1e-9:
                self.pool[place] = (entry, best)
                return
        if self.pool:
            together = sum(
                float(np.logaddexp.reduce([coin.log_p(bit) for _, coin in self.pool])) - math.log(len(self.pool))
                for bit in mixture.seen
            )
            if together > sum(map(best.log_p, mixture.seen)) + 1e-9:
                return
        self.pool.append((self.num_ever, best))
        self.num_ever += 1
