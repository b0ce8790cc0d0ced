"""Writing a snapshot: what a committed visit leaves, to go on from there or to look at it again."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ewc_core.resume import ResumePoint
from ewc_core.training.snapshot import PackedState, pack
from store.blobs import stage_blob
from store.records import Fence
from store.unit_of_work import Database, Work
from worker.settings import WorkerSettings

_STATE_TYPE, _FILE_TYPE = "application/vnd.ewc.snapshot-part", "application/octet-stream"
FILE_PART = "file/"
VERSION = 1


@dataclass(frozen=True)
class SnapshotContent:
    """What a run is between two visits: its state, which names its networks (`methods`, the job's own first), and the files
    beside it."""

    methods: Sequence[str]
    point: ResumePoint
    files: Mapping[str, Path]

    def stage(self, database: Database, fence: Fence, settings: WorkerSettings) -> StagedSnapshot:
        """Upload what has changed; nothing refers to it before `StagedSnapshot.write`. Files are kept all or not at all, within
        the setting's bytes: a run that lacks some of them cannot go on with the same bits."""
        with database.read() as work:
            owner = work.jobs.summary(fence.job_id).owner
        packed = pack(self.point)
        blobs = {
            name: stage_blob(database, data, fence=fence, media_type=_STATE_TYPE, shared_by=owner)
            for name, data in packed.parts.items()
        }
        sizes = {name: file.stat().st_size for name, file in self.files.items()}
        are_kept = 0 < settings.snapshot_replay_bytes >= sum(sizes.values())
        if are_kept:
            for name, file in self.files.items():
                blobs[FILE_PART + name] = _stage_file(database, file, fence, owner)
        files = {"are_kept": are_kept, "num_bytes": sum(sizes.values()), "sizes": sizes}
        return StagedSnapshot(self, packed, blobs, files, settings.snapshots_per_job)


@dataclass(frozen=True)
class StagedSnapshot:
    """A snapshot whose bytes are stored."""

    content: SnapshotContent
    packed: PackedState
    blobs: Mapping[str, str]
    files: Mapping[str, Any]
    num_kept: int

    def write(self, work: Work, job_id: str, *, task_index: int, checkpoint_id: str) -> None:
        """Write the snapshot of the visit whose checkpoint this is, with the constraints as they are in force now, and drop
        those that are one too many. It takes the place of the resume point."""
        work.blobs.finish(*self.blobs.values())
        constraints = [
            {
                "task_index": constraint.task_index,
                "visit_index": constraint.visit_index,
                "checkpoint_id": constraint.checkpoint_id,
                "ewc_lambda": constraint.ewc_lambda,
                "weight": constraint.weight,
            }
            for constraint in work.constraints.of_job(job_id)
        ]
        manifest = {
            "version": VERSION,
            "methods": list(self.content.methods),
            "checkpoint_id": checkpoint_id,
            "constraints": constraints,
            "state": self.packed.described,
            "files": dict(self.files),
        }
        visit_index = self.content.point.visit_index - 1
        work.snapshots.add(job_id, visit_index=visit_index, task_index=task_index, manifest=manifest, parts=self.blobs)
        work.snapshots.keep_newest(job_id, self.num_kept)
        work.resume_points.drop(job_id)


def _stage_file(database: Database, file: Path, fence: Fence, owner: str) -> str:
    """A file need not fit into memory."""
    with (
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        return stage_blob(database, view, fence=fence, media_type=_FILE_TYPE, shared_by=owner)
