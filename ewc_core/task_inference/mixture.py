"""Bayes mixtures over the predictors of a pool, one per segment that is not over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.pool import FRESH
from ewc_core.task_inference.predictor import Predictor, Statistics
from ewc_core.task_inference.reservoir import Sample, offer

_MAX_ENTRIES = 1 << 16
"""Up to so many entries of statistics all mixtures are worked on at once; beyond, one at a time stays in a core's cache."""

_MAX_NATS_BEHIND = 1000.0


class MixtureStack:
    """ν(x) = Σ_i w_i ρ_i(x) over the predictors of the pool as they were at the mixture's birth and a fresh one.

    The mixtures nest: each learns all that those born after it learn, so the younger are always the first to end. All
    predictors of one mixture have learned the same since its birth, so a mixture keeps that once, beside the places of its
    predictors in the pool. w is ½ for the fresh one and ½ shared evenly by the others; 1 for a fresh one alone.

    Predictors whose share has fallen below e^−1000, which no float can tell from nothing, are let go: what a mixture costs is
    soon little more than the predictors that are still in question. The fresh one stays, for it learns fastest: it may fall
    behind by thousands of nats before it knows the first thing, and win in the end.
    """

    def __init__(self, predictor: Predictor, *, max_num: int, max_members: int, reservoir_size: int) -> None:
        """At most `max_num` mixtures of at most `max_members` predictors each."""
        self._predictor = predictor
        self._since = predictor.empty(max_num)
        self._samples = np.zeros((max_num, reservoir_size, predictor.num_symbols), dtype=np.uint8)
        self._num_seen = np.zeros(max_num, dtype=np.int64)
        self._bounds = [0]  # the members of mixture m are bounds[m] to bounds[m + 1]
        self._slots = np.zeros(max_num * max_members, dtype=np.int64)
        self._mixture_of = np.zeros(max_num * max_members, dtype=np.int64)
        self._log_priors, self._log_likelihoods = np.zeros((2, max_num * max_members))
        self.log_evidence = np.zeros(0)
        """log ν [num_mixtures] of all that each mixture has learned, as of the last observation."""

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @property
    def slots(self) -> NDArray[np.int64]:
        """The places in the pool of all members of all mixtures."""
        return self._slots[: self._bounds[-1]]

    def push(self, slots: NDArray[np.int64]) -> None:
        """A new mixture over the predictors at `slots` of the pool, the fresh one last."""
        number, start, num_others = len(self), self._bounds[-1], len(slots) - 1
        end = start + num_others + 1
        self._slots[start:end] = slots
        self._mixture_of[start:end] = number
        self._log_priors[start : end - 1] = -math.log(2.0 * max(1, num_others))
        self._log_priors[end - 1] = -math.log(2.0) if num_others else 0.0
        self._log_likelihoods[start:end] = 0.0
        self._since[number] = 0
        self._num_seen[number] = 0
        self._bounds.append(end)

    def pop_to(self, num: int) -> None:
        """Forget all but the oldest `num`."""
        del self._bounds[num + 1 :]

    def learn(self, symbols: NDArray[np.uint8], statistics: Statistics, random: torch.Generator) -> None:
        """One observation for all mixtures; `statistics` are those of the pool, by slot."""
        num, slots = len(self), self.slots
        at = self._predictor.entries(symbols)
        known = statistics[: int(slots.max()) + 1].take(at, axis=1)
        since = self._since[:num].take(at, axis=1)
        if len(slots) * len(at) <= _MAX_ENTRIES:
            rows = known.take(slots, axis=0)
            rows += since.take(self._mixture_of[: len(slots)], axis=0)
            self._log_likelihoods[: len(slots)] += self._predictor.log_likelihoods(rows)
        else:
            for mixture in range(num):
                members = self._members(mixture)
                rows = known.take(self._slots[members], axis=0)
                rows += since[mixture]
                self._log_likelihoods[members] += self._predictor.log_likelihoods(rows)
        since += 1
        self._since[:num, at] = since
        offer(self._samples[:num], self._num_seen[:num], symbols, random)
        self._weigh()

    def log_weights(self, mixture: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The slots of a mixture's members, and log w_i ρ_i of each."""
        members = self._members(mixture)
        return self._slots[members], self._log_priors[members] + self._log_likelihoods[members]

    def best_slot(self, mixture: int) -> int:
        """Where the member with the largest likelihood came from; the prior does not count."""
        members = self._members(mixture)
        return int(self._slots[members][self._log_likelihoods[members].argmax()])

    def since(self, mixture: int) -> Statistics:
        """What every member of a mixture has learned since its birth [size]."""
        statistics: Statistics = self._since[mixture]
        return statistics

    def sample(self, mixture: int) -> tuple[Sample, int]:
        """A uniform sample of the observations since its birth, and their number."""
        num_seen = int(self._num_seen[mixture])
        return self._samples[mixture, :num_seen], num_seen

    def state(self) -> dict[str, Tensor]:
        """Everything that they know."""
        num = len(self)
        filled = min(int(self._num_seen[:num].max(initial=0)), self._samples.shape[1])
        end = self._bounds[-1]
        parts: dict[str, NDArray[Any]] = {
            "since": self._since[:num],
            "samples": self._samples[:num, :filled],
            "num_seen": self._num_seen[:num],
            "bounds": np.array(self._bounds),
            "slots": self._slots[:end],
            "log_priors": self._log_priors[:end],
            "log_likelihoods": self._log_likelihoods[:end],
        }
        return {name: torch.from_numpy(part.copy()) for name, part in parts.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""
        known = self.state()
        if (
            set(state) != set(known)
            or state["since"].shape[1:] != known["since"].shape[1:]
            or len(state["since"]) > len(self._since)
            or len(state["slots"]) > len(self._slots)
        ):
            raise StateFormatError(
                f"mixtures: the state holds {sorted(state)}, expected {sorted(known)} of at most {len(self._since)} mixtures "
                f"over statistics of size {self._predictor.size}"
            )
        num, end = len(state["since"]), len(state["slots"])
        self._since[:num] = state["since"].numpy()
        self._samples[:num, : state["samples"].shape[1]] = state["samples"].numpy()
        self._num_seen[:num] = state["num_seen"].numpy()
        self._bounds = state["bounds"].tolist()
        self._slots[:end] = state["slots"].numpy()
        self._mixture_of[:end] = np.repeat(np.arange(num), np.diff(self._bounds))
        self._log_priors[:end] = state["log_priors"].numpy()
        self._log_likelihoods[:end] = state["log_likelihoods"].numpy()

    def _weigh(self) -> None:
        """Work out the evidence, and let go of predictors without a share in it."""
        end = self._bounds[-1]
        log_weights = self._log_priors[:end] + self._log_likelihoods[:end]
        self.log_evidence = np.logaddexp.reduceat(log_weights, self._bounds[:-1])
        is_kept = log_weights > (self.log_evidence - _MAX_NATS_BEHIND).take(self._mixture_of[:end])
        is_kept |= self._slots[:end] == FRESH
        kept = is_kept.nonzero()[0]
        if len(kept) < end:
            for each in (self._slots, self._mixture_of, self._log_priors, self._log_likelihoods):
                each[: len(kept)] = each[kept]
            self._bounds = self._mixture_of[: len(kept)].searchsorted(np.arange(len(self) + 1)).tolist()

    def _members(self, mixture: int) -> slice:
        return slice(self._bounds[mixture], self._bounds[mixture + 1])
