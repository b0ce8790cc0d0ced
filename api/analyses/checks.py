"""Whether a job can be asked a question at all."""

from __future__ import annotations

from api.errors import NotLearned
from api.jobs.kinds import kinds_with_tasks
from ewc_core.errors import NotFound, SpecError
from ewc_core.specs import JOB_KINDS, AnalysisQuestion
from store.records import JobSummary
from store.unit_of_work import Work


def analysed_job(work: Work, job_id: str, *, owner: str) -> JobSummary:
    """The job that the spec of an analysis names.

    Raises:
        SpecError: at `job_id`: no such job of this owner, or one that has no tasks.
    """
    try:
        job = work.jobs.summary(job_id, owner=owner)
    except NotFound as error:
        raise SpecError(f"job_id: {error}", field="job_id") from error
    if not job.has_tasks:
        raise SpecError(
            f"job_id: job {job_id} is of kind {job.kind!r}; only {kinds_with_tasks()} jobs can be analysed",
            field="job_id",
        )
    return job


def require_answerable(work: Work, job: JobSummary, question: AnalysisQuestion, *, field: str = "") -> None:
    """Check that the record holds what the question is about. `field` is where the question stands, such as `question.`.

    Raises:
        SpecError: a task or visit that the job does not have, or a question that is not asked of agents.
        NotLearned: a task or visit that is not finished yet, or a job without any constraint.
    """
    kind = JOB_KINDS[job.kind]
    if question.kind not in kind.answers:
        able = " and ".join(name for name, other in JOB_KINDS.items() if question.kind in other.answers)
        raise SpecError(
            f"job {job.id} is of kind {job.kind!r}; a question of kind {question.kind!r} can be asked of {able} jobs only",
            field=f"{field}kind",
        )
    if question.needs_constraint:
        _require_constraint(work, job)
    for name, task_index in question.tasks_by_field.items():
        _require_learned(work, job, task_index, field=f"{field}{name}")
    if question.visit is not None:
        _require_finished_visit(work, job, question.visit, field=f"{field}at_visit")


def _require_learned(work: Work, job: JobSummary, task_index: int, *, field: str) -> None:
    num_tasks = work.tasks.num(job.id)
    if task_index >= num_tasks:
        raise SpecError(f"job {job.id} has no task {task_index}: it has tasks 0 to {num_tasks - 1}", field=field)
    if work.tasks.get(job.id, task_index).checkpoint_id is None:
        raise NotLearned(f"task {task_index} of job {job.id} has not been learned yet: no visit to it is finished")


def _require_finished_visit(work: Work, job: JobSummary, visit_index: int, *, field: str) -> None:
    visit = work.switches.find_visit(job.id, visit_index)
    if visit is None:
        raise SpecError(f"job {job.id} has no visit {visit_index}: it has visits 0 to {job.num_visits - 1}", field=field)
    if visit.status != "done":
        raise NotLearned(f"visit {visit_index} of job {job.id} is not finished yet")


def _require_constraint(work: Work, job: JobSummary) -> None:
    if not work.constraints.of_job(job.id):
        raise NotLearned(f"job {job.id} has no consolidated task: nothing holds its network yet")
