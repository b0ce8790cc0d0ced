"""What the repository of workers returns: frozen values, never rows. All times are timezone-aware UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ewc_core.specs import Slot
from store.records import JobSummary


@dataclass(frozen=True)
class Room:
    """What a worker can take: jobs for one of `slots`, that need no label but `labels` and at most `memory_bytes` of memory
    (None: any number)."""

    slots: frozenset[Slot]
    device: str
    labels: frozenset[str]
    memory_bytes: int | None

    def holds(self, job: JobSummary) -> bool:
        """Whether the job fits. `store.repositories.queue` asks the database the same of many jobs."""
        has_memory = self.memory_bytes is None or job.memory_bytes is None or job.memory_bytes <= self.memory_bytes
        return job.slot in self.slots and job.device == self.device and self.labels.issuperset(job.labels) and has_memory


@dataclass(frozen=True)
class WorkerRecord:
    """A worker, and what it runs: `num_training` and `num_short` jobs, which asked for `held_memory_bytes` in all.

    It has `slots` slots for training, and one for short work.
    """

    id: str
    hostname: str
    pid: int
    queue: str
    slots: int
    device: str
    memory_bytes: int | None
    labels: Sequence[str]
    started_at: datetime
    last_seen_at: datetime
    num_training: int
    num_short: int
    held_memory_bytes: int

    @property
    def room(self) -> Room:
        """What it could take beside what it runs."""
        is_free = {Slot.TRAINING: self.num_training < self.slots, Slot.SHORT: self.num_short == 0}
        left = None if self.memory_bytes is None else max(0, self.memory_bytes - self.held_memory_bytes)
        return self._room(frozenset(slot for slot in Slot if is_free[slot]), left)

    @property
    def empty_room(self) -> Room:
        """What it could take if it ran nothing."""
        return self._room(frozenset(Slot), self.memory_bytes)

    def _room(self, slots: frozenset[Slot], memory_bytes: int | None) -> Room:
        return Room(slots=slots, device=self.device, labels=frozenset(self.labels), memory_bytes=memory_bytes)
