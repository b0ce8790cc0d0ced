"""What an analysis looks at: another job, as its record stands."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ewc_core import tensor_file
from ewc_core.analysis import AnalysisSubject, GameSubject
from ewc_core.consolidation import Constraint
from ewc_core.errors import SpecError
from ewc_core.specs import AnalysisSpec, AtariTask, GymnasiumTask, OverlapAnalysis, ReinforcementSpec
from store.blobs import read_blob
from store.records import CheckpointRecord
from store.unit_of_work import Database, Work
from worker.checkpoint import tensor_index

_ANCHOR = "anchor."
_KINDS = ("ewc-constraint", "ewc-anchor")


def load_subject(database: Database, spec: AnalysisSpec, *, owner: str, data_dir: Path | None) -> AnalysisSubject | GameSubject:
    """The analysed job's spec, tasks, constraints, and weights after the wanted visit (by default the last one).

    Raises:
        NotFound: the owner has no such job.
        SpecError: it has no finished visit that the question could be about.
    """
    with database.read() as work:
        job = work.jobs.get(spec.job_id, owner=owner)
        specs = [task.spec for task in work.tasks.list(job.id)]
        wanted = spec.question.at_visit if isinstance(spec.question, OverlapAnalysis) else None
        method = job.learning.method.kind
        checkpoint = work.checkpoints.latest(job.id, visit_index=wanted, method=method)
        records = work.constraints.list(job.id)
        blobs = [work.checkpoints.get(record.checkpoint_id).blob_id for record in records]
        digests = work.tasks.digests(job.id)
        own = {} if checkpoint is None else _latest_of_tasks(work, checkpoint, method)
    if checkpoint is None:
        which = "no visit" if wanted is None else f"visit {wanted} not"
        raise SpecError(f"job {job.id} has {which} finished, so there are no parameters to analyse", field="question.at_visit")
    constraints = [Constraint.from_bytes(read_blob(database, blob_id)) for blob_id in blobs]
    weights = _weights(read_blob(database, checkpoint.blob_id))
    if isinstance(job.spec, ReinforcementSpec):
        return GameSubject(
            spec=job.spec,
            tasks=[task for task in specs if isinstance(task, AtariTask | GymnasiumTask)],
            constraints=constraints,
            weights=weights,
            own={task: _weights(read_blob(database, blob_id)) for task, blob_id in own.items()},
        )
    return AnalysisSubject(
        spec=job.supervised,
        tasks=[task for task in specs if not isinstance(task, AtariTask | GymnasiumTask)],
        constraints=constraints,
        weights=weights,
        data_dir=data_dir,
        digests=digests,
        constraint_weights={record.task_index: record.weight for record in records if record.weight != 1.0},
    )


def _latest_of_tasks(work: Work, checkpoint: CheckpointRecord, method: str) -> dict[int, str]:
    """By task, the blob of the checkpoint of the last visit to it that is not after `checkpoint`."""
    latest: dict[int, str] = {}
    for visit in work.switches.visits(checkpoint.job_id):
        if visit.visit_index is not None and visit.task_index is not None and visit.visit_index <= checkpoint.visit_index:
            found = work.checkpoints.latest(checkpoint.job_id, visit_index=visit.visit_index, method=method)
            if found is not None:
                latest[visit.task_index] = found.blob_id
    return latest


def _weights(data: bytes) -> dict[str, Tensor]:
    kind = _KINDS[0] if _is_constraint(data) else _KINDS[1]
    tensors, _ = tensor_file.decode(data, kind=kind)
    return {name.removeprefix(_ANCHOR): tensor for name, tensor in tensors.items() if name.startswith(_ANCHOR)}


def _is_constraint(data: bytes) -> bool:
    return any(entry["name"].startswith("fisher.") for entry in tensor_index(data))
