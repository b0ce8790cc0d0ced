"""The predictors that were worth keeping, and the rules by which they come and go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.predictor import Predictor, Statistics
from ewc_core.task_inference.reservoir import Sample

FRESH = 0
"""The slot of the predictor that knows nothing."""


@dataclass(frozen=True)
class Learned:
    """A predictor at the end of a segment: its statistics [size], and a uniform sample of all that it has learned."""

    statistics: Statistics
    sample: Sample
    num_seen: int


class Pool:
    """Up to `capacity` predictors. Each is an entry, which is replaced when it has learned more; a slot holds one version.

    A slot is never overwritten while anyone still refers to it, so mixtures share the versions that they were born with. A
    lineage is a predictor learned from nothing with all that were learned from it; entries of one lineage are of one task.
    Memory: a slot takes size · 4 bytes and its sample. There are at most capacity + 1 slots, and one for every entry that was
    replaced or dropped while a mixture still lives that knew it.
    """

    def __init__(self, predictor: Predictor, *, capacity: int, lineage_size: int, sample_size: int) -> None:
        """At most `lineage_size` entries are of one lineage; samples hold `sample_size` observations."""
        self._predictor, self._sample_size = predictor, sample_size
        self._capacity, self._lineage_size = capacity, lineage_size
        self._statistics = predictor.empty(1)
        self._samples = np.zeros((1, sample_size, predictor.num_symbols), dtype=np.uint8)
        self._num_seen = np.zeros(1, dtype=np.int64)
        self._entry_of = np.full(1, -1, dtype=np.int64)
        self._lineage_of = np.full(1, -1, dtype=np.int64)
        self._order: list[int] = []
        self._num_entries_ever = 0
        self.num_lineages_ever = 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def statistics(self) -> Statistics:
        """By slot [num_slots, size]; slot 0 is the fresh predictor."""
        return self._statistics

    @property
    def slots(self) -> NDArray[np.int64]:
        """The slots of all entries, the oldest first."""
        return np.array(self._order, dtype=np.int64)

    def lineage_of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """The lineage of what each slot holds; −1: fresh."""
        lineages: NDArray[np.int64] = self._lineage_of[slots]
        return lineages

    def learned(self, slot: int) -> Learned:
        """What a slot holds."""
        num_seen = int(self._num_seen[slot])
        return Learned(self._statistics[slot], self._samples[slot, :num_seen], num_seen)

    def successor(self, slot: int) -> int | None:
        """Where the entry is now of which a slot holds some version; None when it was dropped, or for the fresh one."""
        return next((now for now in self._order if self._entry_of[now] == self._entry_of[slot]), None)

    def add(self, learned: Learned, lineage: int | None, *, in_use: Iterable[int]) -> int:
        """A new entry, the youngest, of a lineage (None: a new one), which is returned. `in_use` are slots to be left alone."""
        if lineage is None:
            lineage = self.num_lineages_ever
            self.num_lineages_ever += 1
        self._order.append(self._store(learned, self._num_entries_ever, lineage, in_use))
        self._num_entries_ever += 1
        return lineage

    def replace(self, slot: int, learned: Learned, *, in_use: Iterable[int]) -> None:
        """Another version of the entry at `slot`, in its place."""
        entry, lineage = int(self._entry_of[slot]), int(self._lineage_of[slot])
        self._order[self._order.index(slot)] = self._store(learned, entry, lineage, in_use)

    def trim(self) -> None:
        """Drop entries until there are no more than there may be: of the lineage with most entries, among several of the one
        that has learned least, the entry that has learned least, among several the oldest.

        The paper drops the oldest entry. So would the many entries that a long stay with one source leaves push out all others.
        Those that have learned little adapt fast, so what is left of segments across a switch mostly comes from them.
        """
        while self._order:
            by_lineage: dict[int, list[int]] = {}
            for slot in self._order:
                by_lineage.setdefault(int(self._lineage_of[slot]), []).append(slot)
            loser = min(by_lineage.values(), key=lambda slots: (-len(slots), self._num_seen[slots].max()))
            if len(self._order) <= self._capacity and len(loser) <= self._lineage_size:
                return
            self._order.remove(min(loser, key=lambda slot: int(self._num_seen[slot])))

    def state(self) -> dict[str, Tensor]:
        """All slots, and which are entries."""
        filled = min(int(self._num_seen.max()), self._sample_size)
        parts: dict[str, NDArray[Any]] = {
            "statistics": self._statistics,
            "samples": self._samples[:, :filled],
            "num_seen": self._num_seen,
            "entry_of": self._entry_of,
            "lineage_of": self._lineage_of,
            "order": self.slots,
            "counters": np.array([self._num_entries_ever, self.num_lineages_ever]),
        }
        return {name: torch.from_numpy(part.copy()) for name, part in parts.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""
        known = self.state()
        if set(state) != set(known) or state["statistics"].shape[1:] != known["statistics"].shape[1:]:
            raise StateFormatError(f"pool: the state holds {sorted(state)}, expected {sorted(known)}, of as many symbols")
        num_slots = len(state["statistics"])
        self._statistics = state["statistics"].numpy().copy()
        self._samples = np.zeros((num_slots, *self._samples.shape[1:]), dtype=np.uint8)
        self._samples[:, : state["samples"].shape[1]] = state["samples"].numpy()
        self._num_seen, self._entry_of = (state[name].numpy().copy() for name in ("num_seen", "entry_of"))
        self._lineage_of = state["lineage_of"].numpy().copy()
        self._order = state["order"].tolist()
        self._num_entries_ever, self.num_lineages_ever = state["counters"].tolist()

    def _store(self, learned: Learned, entry: int, lineage: int, in_use: Iterable[int]) -> int:
        taken = {FRESH, *self._order, *in_use}
        slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)
        if slot == len(self._statistics):
            self._grow()
        self._statistics[slot] = learned.statistics
        self._samples[slot, : len(learned.sample)] = learned.sample
        self._num_seen[slot] = learned.num_seen
        self._entry_of[slot], self._lineage_of[slot] = entry, lineage
        return slot

    def _grow(self) -> None:
        more = min(len(self._statistics), 8)
        self._statistics = np.concatenate([self._statistics, self._predictor.empty(more)])
        self._samples = np.concatenate([self._samples, np.zeros_like(self._samples[:more])])
        counters = (self._num_seen, self._entry_of, self._lineage_of)
        self._num_seen, self._entry_of, self._lineage_of = (
            np.concatenate([each, np.zeros_like(each[:more])]) for each in counters
        )
