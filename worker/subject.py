"""What an analysis looks at: another job, as its record stands."""

from __future__ import annotations

from pathlib import Path

from ewc_core.analysis import AnalysisSubject, GameSubject
from ewc_core.errors import SpecError
from ewc_core.specs import AnalysisSpec, AtariTask, GymnasiumTask, OverlapAnalysis, ReinforcementSpec
from store.unit_of_work import Database
from worker.stored_state import stored_constraint, stored_weights


def load_subject(database: Database, spec: AnalysisSpec, *, owner: str, data_dir: Path | None) -> AnalysisSubject | GameSubject:
    """The analysed job's spec, tasks, constraints, and weights after the wanted visit (by default the last one).

    Raises:
        NotFound: the owner has no such job.
        CheckpointDamaged: the stored bytes of one of them are not those that were written.
        SpecError: it has no finished visit that the question could be about.
    """
    with database.read() as work:
        job = work.jobs.get(spec.job_id, owner=owner)
        specs = [task.spec for task in work.tasks.list(job.id)]
        wanted = spec.question.at_visit if isinstance(spec.question, OverlapAnalysis) else None
        method = job.learning.method.kind
        checkpoint = work.checkpoints.latest(job.id, visit_index=wanted, method=method)
        records = work.constraints.list(job.id)
        consolidated = work.checkpoints.of_constraints(job.id)
        digests = work.tasks.digests(job.id)
        own = {}
        if checkpoint is not None:
            own = work.checkpoints.latest_of_tasks(job.id, method=method, up_to_visit=checkpoint.visit_index)
    if checkpoint is None:
        which = "no visit" if wanted is None else f"visit {wanted} not"
        raise SpecError(f"job {job.id} has {which} finished, so there are no parameters to analyse", field="question.at_visit")
    constraints = [stored_constraint(database, one) for one in consolidated]
    weights = stored_weights(database, checkpoint)
    if isinstance(job.spec, ReinforcementSpec):
        return GameSubject(
            spec=job.spec,
            tasks=[task for task in specs if isinstance(task, AtariTask | GymnasiumTask)],
            constraints=constraints,
            weights=weights,
            own={task: stored_weights(database, latest) for task, latest in own.items()},
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
