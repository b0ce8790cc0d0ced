"""The training of a job as the record has it: fresh, or at its resume point."""

from __future__ import annotations

import shutil
from pathlib import Path

from ewc_core.errors import StateFormatError
from ewc_core.reinforcement.run import ReinforcementRun
from ewc_core.resume import ResumePoint
from ewc_core.specs import AtariTask, GymnasiumTask, ReinforcementSpec
from ewc_core.supervised import SupervisedRun
from store.records import Fence, JobRecord
from store.unit_of_work import Database
from worker.settings import WorkerSettings
from worker.stored_state import stored_constraint, stored_point

Training = SupervisedRun | ReinforcementRun


def restore_training(database: Database, settings: WorkerSettings, fence: Fence, job: JobRecord) -> Training:
    """What the holder of `fence` goes on with.

    Raises:
        ResumePointDamaged: the resume point is damaged; or the replay's files are not there, because the job ran on another
            host or they were deleted.
        CheckpointDamaged: so is the checkpoint of a constraint.
        DataChanged: a task's data are not what they were when they were first loaded.
        SpecError: a task's data are not there, or its environment has changed and no longer fits.
    """
    with database.read() as work:
        saved = work.resume_points.get(job.id)
    point = None if saved is None else stored_point(database, saved)
    if isinstance(job.spec, ReinforcementSpec):
        return _games(database, job, job.spec, point, folder=_replay_folder(settings, job.id), generation=fence.epoch)
    return _supervised(database, job, point, data_dir=settings.data_dir)


def remove_replays(settings: WorkerSettings, job_id: str) -> None:
    """Delete the replays of a job that will not go on, if it has any."""
    shutil.rmtree(_replay_folder(settings, job_id), ignore_errors=True)


def _supervised(database: Database, job: JobRecord, point: ResumePoint | None, *, data_dir: Path | None) -> SupervisedRun:
    with database.read() as work:
        digests = work.sweeps.digests(job.id) | work.tasks.digests(job.id)
    if point is None:
        return SupervisedRun(job.supervised, data_dir=data_dir, digests=digests)
    num_visits_begun = point.visit_index + (1 if point.step > 0 else 0)
    with database.read() as work:
        num_seen = len(set(work.switches.tasks_visited(job.id, num_visits=num_visits_begun)))
        tasks = [task.spec for task in work.tasks.list(job.id)]
        checkpoints = work.checkpoints.of_constraints(job.id)
    seen = [task for task in tasks[:num_seen] if not isinstance(task, AtariTask | GymnasiumTask)]
    return SupervisedRun.restore(
        job.supervised,
        data_dir=data_dir,
        tasks=seen,
        constraints=[stored_constraint(database, checkpoint) for checkpoint in checkpoints],
        point=point,
        digests=digests,
    )


def _games(
    database: Database, job: JobRecord, spec: ReinforcementSpec, point: ResumePoint | None, *, folder: Path, generation: int
) -> ReinforcementRun:
    """Replays lie in one folder per lease: a holder that has lost its lease and does not know it yet writes into its own,
    never into its successor's."""
    if point is None:
        shutil.rmtree(folder, ignore_errors=True)
        return ReinforcementRun(spec, replay_folder=folder, generation=generation)
    with database.read() as work:
        visit = work.switches.find_visit(job.id, point.visit_index) if point.step > 0 else None
        tasks = [task.spec for task in work.tasks.list(job.id)]
    games = [task for task in tasks if isinstance(task, AtariTask | GymnasiumTask)]
    if len(games) != len(tasks):
        raise StateFormatError(f"job {job.id} plays games, but its record has tasks of other kinds")
    visiting = None if visit is None else visit.task_index
    return ReinforcementRun.restore(
        spec, tasks=games, point=point, visiting=visiting, replay_folder=folder, generation=generation
    )


def _replay_folder(settings: WorkerSettings, job_id: str) -> Path:
    """It must outlive the worker, and be shared where jobs move between hosts."""
    return settings.state_dir / "replay" / job_id
