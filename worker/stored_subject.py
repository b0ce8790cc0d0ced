"""Another job as an analysis looks at it: read from its snapshots and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from ewc_core.errors import NotFound, SpecError
from ewc_core.training.stored import Subject
from store.unit_of_work import Database
from worker.stored_state import constraint_weights_in, constraints_in, stored_constraint, stored_weights


def load_subject(database: Database, job_id: str, *, owner: str, at_visit: int | None, data_dir: Path | None) -> Subject:
    """A job of `owner` after its visit `at_visit` or after its last one: constraints as they were in force then. Those of the
    last visit count as their owner has weighted them since.

    Of a visit without a snapshot (it was dropped, or version 0.2.0 made the visit) nobody knows the constraints that were in
    force: those of now are taken.

    Raises:
        CheckpointDamaged: the stored bytes of a checkpoint are not those that were written.
        SpecError: the owner has no such job, or it has no such visit.
    """
    with database.read() as work:
        try:
            job = work.jobs.get(job_id, owner=owner)
        except NotFound as error:
            raise SpecError(str(error), field="job_id") from error
        method = job.learning.method.kind
        checkpoint = work.checkpoints.latest(job.id, visit_index=at_visit, method=method)
        if checkpoint is None:
            which = "no visit" if at_visit is None else f"visit {at_visit} not"
            raise SpecError(
                f"job {job.id} has {which} finished, so there are no parameters to analyse", field="question.at_visit"
            )
        snapshot = work.snapshots.find(job.id, checkpoint.visit_index)
        latest = work.snapshots.latest(job.id)
        weights_now = {record.task_index: record.weight for record in work.constraints.of_job(job.id)}
        consolidated = work.checkpoints.of_constraints(job.id)
        tasks = [task.spec for task in work.tasks.of_job(job.id)]
        digests = work.tasks.digests(job.id)
    if snapshot is None:
        constraints = [stored_constraint(database, one) for one in consolidated]
    else:
        constraints = constraints_in(database, snapshot)
    is_past = snapshot is not None and latest is not None and snapshot.id != latest.id
    weights = constraint_weights_in(snapshot) if snapshot is not None and is_past else weights_now
    return Subject(
        spec=job.learning,
        tasks=tasks,
        constraints=constraints,
        weights=stored_weights(database, checkpoint),
        own=partial(_own, database, job.id, method, checkpoint.visit_index),
        data_dir=data_dir,
        constraint_weights={task: weight for task, weight in weights.items() if weight != 1.0},
        digests=digests,
    )


def _own(database: Database, job_id: str, method: str, visit_index: int, task: int) -> Mapping[str, Tensor] | None:
    with database.read() as work:
        latest = work.checkpoints.latest_of_tasks(job_id, method=method, up_to_visit=visit_index).get(task)
    return None if latest is None else stored_weights(database, latest)
