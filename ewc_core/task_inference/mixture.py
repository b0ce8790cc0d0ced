"""Bayes mixtures over the predictors of a pool, one per segment that is not over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.predictor import Predictor, Statistics
from ewc_core.task_inference.reservoir import Sample, offer

_MAX_ENTRIES = 1 << 16
"""Entries of statistics that are worked on at once, whatever the number of mixtures."""


class MixtureStack:
    """ν(x) = Σ_i w_i ρ_i(x) over the predictors of the pool as they were at the mixture's birth and a fresh one.

    The mixtures nest: each learns all that those born after it learn, so the younger are always the first to end. All
    predictors of one mixture have learned the same since its birth, so a mixture keeps that once, beside the places of its
    predictors in the pool. w is ½ for the fresh one and ½ shared evenly by the others; 1 for a fresh one alone.
    """

    def __init__(self, predictor: Predictor, *, max_num: int, reservoir_size: int) -> None:
        self._predictor = predictor
        self._since = predictor.empty(max_num)
        self._samples = np.zeros((max_num, reservoir_size, predictor.num_symbols), dtype=np.uint8)
        self._num_seen = np.zeros(max_num, dtype=np.int64)
        self._bounds = np.zeros(1, dtype=np.int64)  # the members of mixture m are bounds[m] to bounds[m + 1]
        self._slots = np.zeros(0, dtype=np.int64)
        self._log_priors, self._log_likelihoods = np.zeros(0), np.zeros(0)
        self._mixture_of = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @property
    def slots(self) -> NDArray[np.int64]:
        """The places in the pool of all members of all mixtures."""
        return self._slots

    def push(self, slots: NDArray[np.int64]) -> None:
        """A new mixture over the predictors at `slots` of the pool, the fresh one last."""
        number, size = len(self), len(slots)
        prior = np.full(size, -np.log(2.0 * (size - 1)) if size > 1 else 0.0)
        prior[-1] = np.log(0.5) if size > 1 else 0.0
        self._since[number] = 0
        self._num_seen[number] = 0
        self._bounds = np.append(self._bounds, self._bounds[-1] + size)
        self._slots = np.concatenate([self._slots, slots])
        self._log_priors = np.concatenate([self._log_priors, prior])
        self._log_likelihoods = np.concatenate([self._log_likelihoods, np.zeros(size)])
        self._mixture_of = np.concatenate([self._mixture_of, np.full(size, number)])

    def pop_to(self, num: int) -> None:
        """Forget all but the oldest `num`."""
        end = int(self._bounds[num])
        self._bounds = self._bounds[: num + 1]
        self._slots, self._mixture_of = self._slots[:end], self._mixture_of[:end]
        self._log_priors, self._log_likelihoods = self._log_priors[:end], self._log_likelihoods[:end]

    def learn(self, symbols: NDArray[np.uint8], statistics: Statistics, random: torch.Generator) -> None:
        """One observation for all mixtures; `statistics` are those of the pool, by slot."""
        num = len(self)
        at = self._predictor.entries(symbols)
        known = statistics[: int(self._slots.max()) + 1].take(at, axis=1)
        since = self._since[:num].take(at, axis=1)
        step = max(1, _MAX_ENTRIES // len(at))
        for start in range(0, len(self._slots), step):
            some = slice(start, start + step)
            rows = known[self._slots[some]]
            rows += since[self._mixture_of[some]]
            self._log_likelihoods[some] += self._predictor.log_likelihoods(rows)
        since += 1
        self._since[:num, at] = since
        offer(self._samples[:num], self._num_seen[:num], symbols, random)

    def log_evidence(self) -> NDArray[np.float64]:
        """log ν [num_mixtures] of all that each mixture has learned."""
        evidence: NDArray[np.float64] = np.logaddexp.reduceat(self._log_priors + self._log_likelihoods, self._bounds[:-1])
        return evidence

    def posterior(self, mixture: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The slots of a mixture's members, and the probability of each."""
        members = slice(*self._bounds[mixture : mixture + 2])
        log_weights = self._log_priors[members] + self._log_likelihoods[members]
        return self._slots[members], np.exp(log_weights - np.logaddexp.reduce(log_weights))

    def best_slot(self, mixture: int) -> int:
        """Where the member with the largest likelihood came from; the prior does not count."""
        members = slice(*self._bounds[mixture : mixture + 2])
        return int(self._slots[members][self._log_likelihoods[members].argmax()])

    def since(self, mixture: int) -> Statistics:
        """What every member of a mixture has learned since its birth [size]."""
        return self._since[mixture]

    def sample(self, mixture: int) -> tuple[Sample, int]:
        """A uniform sample of the observations since its birth, and their number."""
        num_seen = int(self._num_seen[mixture])
        return self._samples[mixture, :num_seen], num_seen

    def state(self) -> dict[str, Tensor]:
        """Everything that they know."""
        num = len(self)
        filled = min(int(self._num_seen[:num].max(initial=0)), self._samples.shape[1])
        parts: dict[str, NDArray[Any]] = {
            "since": self._since[:num],
            "samples": self._samples[:num, :filled],
            "num_seen": self._num_seen[:num],
            "bounds": self._bounds,
            "slots": self._slots,
            "log_priors": self._log_priors,
            "log_likelihoods": self._log_likelihoods,
        }
        return {name: torch.from_numpy(part.copy()) for name, part in parts.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""
        known = self.state()
        if set(state) != set(known) or any(state[name].shape[2:] != known[name].shape[2:] for name in ("since", "samples")):
            raise StateFormatError(f"mixtures: the state holds {sorted(state)}, expected {sorted(known)}, of as many symbols")
        num = len(state["since"])
        self._since[:num] = state["since"].numpy()
        self._samples[:num, : state["samples"].shape[1]] = state["samples"].numpy()
        self._num_seen[:num] = state["num_seen"].numpy()
        self._bounds, self._slots = (state[name].numpy().copy() for name in ("bounds", "slots"))
        self._log_priors, self._log_likelihoods = (state[name].numpy().copy() for name in ("log_priors", "log_likelihoods"))
        self._mixture_of = np.repeat(np.arange(num), np.diff(self._bounds))
