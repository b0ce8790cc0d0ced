"""What a job takes, and what the operator of a service gives to one."""

from __future__ import annotations

from dataclasses import dataclass

from ewc_core.errors import JobTooLarge

_MIB, _GIB = 2**20, 2**30
PROCESS_BYTES = 360 * _MIB
"""Python, torch, and what a small job takes."""


@dataclass(frozen=True)
class JobSize:
    """`num_parameters` are those of one network; `memory_bytes` the most that the trainer's process takes; `disk_bytes` what
    the record holds when all planned visits are done, and a resume point, as there is one while it runs. The replays of agents
    beside the record are not among them."""

    num_parameters: int
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class JobLimits:
    """Bounds of one job, None where there is none: `memory_bytes` of its trainer, `disk_bytes` in the record,
    `machine_bytes` of memory that the machine of its worker has. A job keeps its newest `snapshots_per_job` snapshots, with
    agents' replays in them up to `snapshot_replay_bytes`."""

    memory_bytes: int | None = None
    disk_bytes: int | None = None
    machine_bytes: int | None = None
    snapshots_per_job: int = 100
    snapshot_replay_bytes: int = 64 * _MIB

    def require(self, size: JobSize, *, field: str = "network") -> None:
        """Check what a job is estimated to take. `field` is where its spec has the network.

        Raises:
            JobTooLarge: it is more than a bound; every one is named.
        """
        found, least = [], ""
        if self.memory_bytes is not None and size.memory_bytes > self.memory_bytes:
            found.append(
                f"it takes about {in_words(size.memory_bytes)} of memory, and this service gives one job at most "
                f"{in_words(self.memory_bytes)} (EWC_MAX_JOB_MEMORY_BYTES)"
            )
            least = f"; the smallest job takes {in_words(PROCESS_BYTES)} of memory"
        elif self.machine_bytes is not None and size.memory_bytes > self.machine_bytes:
            found.append(
                f"it takes about {in_words(size.memory_bytes)} of memory, and the machine of the worker that took it has "
                f"{in_words(self.machine_bytes)}; execution.memory_bytes leads it to a larger one, where workers say what they "
                "have (EWC_WORKER_MEMORY_BYTES)"
            )
        if self.disk_bytes is not None and size.disk_bytes > self.disk_bytes:
            found.append(
                f"it takes about {in_words(size.disk_bytes)} of disk, and this service gives one job at most "
                f"{in_words(self.disk_bytes)} (EWC_MAX_JOB_DISK_BYTES)"
            )
        if found:
            raise JobTooLarge(
                f"the job is too large: {'; '.join(found)}. Its network has {size.num_parameters:,} parameters: fewer of them, "
                f"of controls or of tasks make it smaller, and so do smaller files of data and replays of agents{least}",
                field=field,
            )


NO_LIMITS = JobLimits()


def in_words(num_bytes: int) -> str:
    """Bytes as people read them, such as "1.5 GiB"."""
    return f"{num_bytes / _GIB:.1f} GiB" if num_bytes >= _GIB else f"{num_bytes / _MIB:.0f} MiB"
