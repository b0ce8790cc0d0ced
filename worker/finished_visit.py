"""What a finished visit leaves in the record: checkpoints, constraints and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ewc_core.consolidation.constraint import weights_sha256
from ewc_core.events import Consolidated, Evaluated, VisitFinished
from store.blobs import stage_blob
from store.records import Fence
from store.unit_of_work import Database, Work
from worker.checkpoint import MEDIA_TYPE, anchor_parts, tensor_index
from worker.matrix_row import write_matrix_row


@dataclass(frozen=True)
class FinishedVisit:
    """`weights` are the method's at the end of the visit. Of what was `consolidated`, by task index, the constraint that was made
    there is the visit's checkpoint. Others were made on the way, as agents do that find out which game they play: each becomes
    a checkpoint of its own, beside the visit's."""

    end: VisitFinished
    method: str
    weights: Mapping[str, Tensor]
    rows: Sequence[Evaluated]
    consolidated: Mapping[int, Consolidated]

    @property
    def own(self) -> Consolidated | None:
        """The constraint of the visited task, made at the end of the visit."""
        found = self.consolidated.get(self.end.visit.task_index)
        return found if found is not None and found.is_at_end else None

    @property
    def others(self) -> list[Consolidated]:
        """The constraints made on the way."""
        return [made for made in self.consolidated.values() if made is not self.own]

    def stage(self, database: Database, fence: Fence) -> StagedVisit:
        """Upload the checkpoints; nothing refers to them before `StagedVisit.write`."""
        task = self.end.visit.task_index
        contents = [self.own.constraint.parts() if self.own else anchor_parts(self.weights, task_index=task)]
        contents += [other.constraint.parts() for other in self.others]
        blobs = [stage_blob(database, content, fence=fence, media_type=MEDIA_TYPE) for content in contents]
        return StagedVisit(self, [tensor_index(content[0]) for content in contents], blobs)


@dataclass(frozen=True)
class StagedVisit:
    """Checkpoints whose bytes are stored: the visit's first, then those of `finished.others`, and where each tensor lies."""

    finished: FinishedVisit
    tensors: Sequence[list[dict[str, Any]]]
    blobs: Sequence[str]

    def write(self, work: Work, job_id: str) -> str:
        """Write checkpoints, constraints and scores; returns the id of the visit's checkpoint."""
        finished, visit = self.finished, self.finished.end.visit
        own_id = self._checkpoint(work, job_id, 0, finished.method, visit.task_index, finished.weights)
        if finished.own is not None:
            _write_constraint(work, job_id, finished.own, own_id)
        for number, other in enumerate(finished.others, start=1):
            task = other.constraint.task_index
            name = f"{finished.method}.task_{task}"
            _write_constraint(work, job_id, other, self._checkpoint(work, job_id, number, name, task, other.constraint.anchor))
        for row in finished.rows:
            _write_row(work, job_id, row)
        return own_id

    def _checkpoint(
        self, work: Work, job_id: str, number: int, method: str, task_index: int, weights: Mapping[str, Tensor]
    ) -> str:
        work.blobs.finish(self.blobs[number])
        return work.checkpoints.add(
            job_id,
            visit_index=self.finished.end.visit.index,
            task_index=task_index,
            method=method,
            blob_id=self.blobs[number],
            weights_sha256=weights_sha256(weights),
            tensors=self.tensors[number],
        ).id


def _write_constraint(work: Work, job_id: str, consolidated: Consolidated, checkpoint_id: str) -> None:
    visit, constraint = consolidated.visit, consolidated.constraint
    work.constraints.put(
        job_id,
        task_index=constraint.task_index,
        visit_index=visit.index,
        checkpoint_id=checkpoint_id,
        ewc_lambda=constraint.ewc_lambda,
        info=asdict(constraint.info),
    )
    work.events.append(
        job_id,
        type="task.consolidated",
        message=f"task {constraint.task_index} consolidated after visit {visit.index}",
        data={
            "visit_index": visit.index,
            "task_index": constraint.task_index,
            "checkpoint_id": checkpoint_id,
            **asdict(constraint.info),
        },
    )


def _write_row(work: Work, job_id: str, row: Evaluated) -> None:
    after = row.visit.index
    write_matrix_row(work, job_id, method=row.method, after_visit=after, measured=row.measured)
    scores = row.scores
    mean = f"mean score {sum(scores.values()) / len(scores):.4f}" if scores else "no task has a score"
    intervals = {str(task): list(cell.interval) for task, cell in row.measured.items() if cell.interval is not None}
    work.events.append(
        job_id,
        type="evaluation.completed",
        message=f"{row.method} after visit {after}: {mean}",
        data={
            "after_visit": after,
            "method": row.method,
            "scores": {str(task): score for task, score in scores.items()},
            "num_examples": {str(task): row.measured[task].num_examples for task in scores},
            "intervals": intervals,
            **({"details": dict(row.details)} if row.details else {}),
        },
    )
