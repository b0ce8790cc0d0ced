"""The Forget-Me-Not process: what was learned in one segment of time is there to be used in all later ones."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.mixture import MixtureStack
from ewc_core.task_inference.pool import FRESH, Learned, Pool
from ewc_core.task_inference.predictor import Predictor
from ewc_core.task_inference.ptw import PartitionTree
from ewc_core.task_inference.reservoir import united

_MIN_GAIN = 1e-9
"""Predictions [nats] this close are equal: what counts as better is not left to rounding."""

_NAMES = {"segments", "log_segments", "reused", "random"}


@dataclass(frozen=True)
class Explanation:
    """How the last observation is explained best: by the segment of `level`, and there by a predictor of `lineage`.

    `lineage` is None when that is a fresh one of which nothing is in the pool yet.
    """

    level: int
    lineage: int | None


class ForgetMeNot:
    """Partition tree weighting whose segments are explained by mixtures over a pool of learned predictors (Milan et al. 2016;
    paper.md 5.5). With `pool_size` 0 it is partition tree weighting over fresh predictors.

    When a segment of at least 2^min_level observations ends, its best predictor takes the place of the one it came from if it
    predicts that one's own past better; else, if it predicts the segment better than the pool together, it joins the pool.
    At most depth + 1 mixtures of at most pool_size + 1 predictors are alive: O(pool_size · depth) per observation.

    Lineages are not in the paper: an entry is of the lineage of the one that it was learned from. A predictor learned from
    nothing begins one, unless within its segment one was discovered that it could not know at its birth: then it has been
    learning just that. A lineage is reused once an entry of it was the best of a later segment; one that is not may be what
    is left of a segment in which the source changed.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        depth: int,
        pool_size: int,
        lineage_size: int,
        min_level: int,
        reservoir_size: int,
        random: torch.Generator,
    ) -> None:
        """At most `lineage_size` of the `pool_size` entries are of one lineage; `random` draws the reservoirs."""
        self._predictor, self._min_level, self._reservoir_size = predictor, min_level, reservoir_size
        self._random = random
        self.tree = PartitionTree(depth)
        self.pool = Pool(predictor, capacity=pool_size, lineage_size=lineage_size, sample_size=reservoir_size)
        self._mixtures = MixtureStack(predictor, max_num=depth + 1, max_members=pool_size + 1, reservoir_size=reservoir_size)
        self._levels: list[int] = []  # the first level of each mixture's segment; it is shared down to the next one's
        self._discovered: list[int] = []  # by mixture: the lineage discovered last within its segment, −1 if none
        self._num_known: list[int] = []  # by mixture: the number of lineages there had been at its birth
        self.log_segments: list[float] = []
        """log of how probable the open segment of each level is so far, under its mixture [depth + 1]."""
        self._reused: set[int] = set()

    def step(self, symbols: NDArray[np.uint8]) -> float:
        """Learn from one observation; its log probability, given all before it, in nats."""
        self._begin()
        before = self.tree.log_probability
        self._mixtures.learn(symbols, self.pool.statistics, self._random)
        self.log_segments = self._by_level(self._mixtures.log_evidence)
        self.tree.end(self.log_segments)
        return self.tree.log_probability - before

    def explanation(self) -> Explanation:
        """The most probable segment of the last observation, the longer one of equals, and the most probable member there."""
        level = int(self.tree.level_posterior(self.log_segments).argmax())  # the first of equals
        mixture = bisect_right(self._levels, level) - 1
        slots, log_weights = self._mixtures.log_weights(mixture)
        lineage = self._lineage(int(slots[log_weights.argmax()]), mixture)
        return Explanation(level, lineage)

    def is_reused(self, lineage: int) -> bool:
        """Whether an entry of a lineage was ever the best predictor of a segment that began after it was learned."""
        return lineage in self._reused

    def lineage_posterior(self, lineage: int) -> float:
        """The probability that the last observation is explained by a predictor of a lineage, over all segments."""
        by_level = self.tree.level_posterior(self.log_segments)
        total = 0.0
        for mixture, (start, end) in enumerate(zip(self._levels, [*self._levels[1:], len(by_level)], strict=True)):
            slots, log_weights = self._mixtures.log_weights(mixture)
            posterior = np.exp(log_weights - np.logaddexp.reduce(log_weights))
            lineages = self.pool.lineage_of(slots)
            lineages[slots == FRESH] = self._discovered[mixture]
            total += float(by_level[start:end].sum() * posterior[lineages == lineage].sum())
        return min(total, 1.0)

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        parts = {"tree": self.tree.state(), "pool": self.pool.state(), "mixtures": self._mixtures.state()}
        return {
            **{f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()},
            "segments": torch.tensor([self._levels, self._discovered, self._num_known], dtype=torch.int64),
            "log_segments": torch.tensor(self.log_segments, dtype=torch.float64),
            "reused": torch.tensor(sorted(self._reused), dtype=torch.int64),
            "random": self._random.get_state(),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""
        if not set(state) >= _NAMES:
            raise StateFormatError(f"forget-me-not: the state holds {sorted(state)}, expected {sorted(_NAMES)} in it")
        for part, owner in (("tree", self.tree), ("pool", self.pool), ("mixtures", self._mixtures)):
            prefix = f"{part}."
            owner.load_state({name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)})
        self._levels, self._discovered, self._num_known = state["segments"].tolist()
        self.log_segments = state["log_segments"].tolist()
        self._reused = set(state["reused"].tolist())
        self._random.set_state(state["random"])

    def _begin(self) -> None:
        """Close the segments that are over, and begin those that follow them with one mixture for all."""
        first = self.tree.begin()
        if self._levels:
            shared = bisect_right(self._levels, first) - 1
            for mixture in range(shared, len(self._levels)):
                length = self.tree.depth - max(first, self._levels[mixture])
                if length >= self._min_level:
                    self._close(mixture)
            if self.tree.depth - first >= self._min_level:
                self.pool.trim()
        num_left = bisect_left(self._levels, first)
        self._mixtures.pop_to(num_left)
        self._mixtures.push(np.append(self.pool.slots, FRESH))
        self._levels[num_left:] = [first]
        self._discovered[num_left:] = [-1]
        self._num_known[num_left:] = [self.pool.num_lineages_ever]

    def _close(self, mixture: int) -> None:
        """Let the best predictor of a finished segment grow an entry of the pool, join the pool, or go."""
        slot = self._mixtures.best_slot(mixture)
        lineage = self._lineage(slot, mixture)
        if slot != FRESH and lineage is not None:
            self._reused.add(lineage)
        statistics = self.pool.statistics[slot] + self._mixtures.since(mixture)
        parent = self.pool.successor(slot)
        if parent is not None and self._is_better(statistics, parent):
            self.pool.replace(parent, self._learned(mixture, slot), in_use=self._mixtures.slots)
        elif not self._is_redundant(statistics, mixture):
            lineage = self.pool.add(self._learned(mixture, slot), lineage, in_use=self._mixtures.slots)
        if lineage is not None:
            self._tell(mixture, lineage)

    def _is_better(self, statistics: NDArray[np.floating], slot: int) -> bool:
        """Whether statistics predict the past of an entry better than the entry itself does."""
        entry = self.pool.learned(slot)
        both = np.stack([statistics, entry.statistics])
        challenger, incumbent = self._predictor.log_likelihoods_of_all(both, entry.sample).sum(axis=0)
        return bool(challenger > incumbent + _MIN_GAIN)

    def _is_redundant(self, statistics: NDArray[np.floating], mixture: int) -> bool:
        """Whether the pool together predicts a mixture's segment better than statistics do."""
        if len(self.pool) == 0:
            return False
        sample, _ = self._mixtures.sample(mixture)
        everyone = np.concatenate([self.pool.statistics[self.pool.slots], statistics[None]])
        logs = self._predictor.log_likelihoods_of_all(everyone, sample)
        together = np.logaddexp.reduce(logs[:, :-1], axis=1) - math.log(len(self.pool))
        return bool(together.sum() > logs[:, -1].sum() + _MIN_GAIN)

    def _learned(self, mixture: int, slot: int) -> Learned:
        before = self.pool.learned(slot)
        sample, num_seen = self._mixtures.sample(mixture)
        return Learned(
            before.statistics + self._mixtures.since(mixture),
            united(before.sample, before.num_seen, sample, num_seen, self._reservoir_size, self._random),
            before.num_seen + num_seen,
        )

    def _lineage(self, slot: int, mixture: int) -> int | None:
        lineage = self._discovered[mixture] if slot == FRESH else int(self.pool.lineage_of(np.array([slot]))[0])
        return None if lineage < 0 else lineage

    def _tell(self, mixture: int, lineage: int) -> None:
        """Every segment around one that a lineage explains has discovered it, unless it knew it from the beginning."""
        for outer in range(mixture + 1):
            if lineage >= self._num_known[outer]:
                self._discovered[outer] = lineage

    def _by_level(self, by_mixture: NDArray[np.float64]) -> list[float]:
        ends = [*self._levels[1:], self.tree.depth + 1]
        spans = [end - start for start, end in zip(self._levels, ends, strict=True)]
        return [value for value, span in zip(by_mixture.tolist(), spans, strict=True) for _ in range(span)]
