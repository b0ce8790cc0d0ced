"""Running a job: load the record, train visit after visit, hand what training yields to the recorder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum

import torch

from ewc_core.analysis import AnalysisRun
from ewc_core.association import AssociationRun
from ewc_core.computation import Computation
from ewc_core.errors import EwcError, RecordError, RowDamaged, StoreUnavailable
from ewc_core.events import (
    Consolidated,
    DataRead,
    EpisodesLogged,
    Evaluated,
    FisherProgress,
    ScoresLogged,
    StepLogged,
    Stepped,
    TaskRecognised,
    Visit,
    VisitFinished,
    VisitStarted,
    Warned,
    ZeroShot,
)
from ewc_core.reinforcement.run import ReinforcementRun
from ewc_core.specs import AnalysisSpec, AssociationSpec
from ewc_core.supervised import SupervisedRun
from store.job_states import DesiredState, JobStatus
from store.records import Fence, JobRecord, JobSummary, SwitchRecord
from store.unit_of_work import Database, Work
from worker.computing import ComputationDriver
from worker.fingerprint import fingerprint, note_attempt
from worker.left_by_visit import LeftByVisit
from worker.recorder import Recorder
from worker.restoring import Training, remove_replays, restore_training
from worker.settings import WorkerSettings
from worker.subject import load_subject

log = logging.getLogger(__name__)

SHARE_OF_POINTS = 20  # at least so many times as long as a resume point takes lies between two


class Outcome(StrEnum):
    """How a trainer's part ended."""

    SETTLED = "settled"
    STOPPED = "stopped"


class _Rest(Exception):  # not an error: it unwinds the training loop when the job comes to rest
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class JobRunner:
    """Trains one job from its resume point to its next resting state, under one fence."""

    def __init__(self, database: Database, settings: WorkerSettings, fence: Fence) -> None:
        self._database = database
        self._settings = settings
        self._fence = fence
        self._recorder = Recorder(database, fence)
        self._stop_asked = False
        self._last_point = time.monotonic()
        self._seconds_of_point = 0.0

    def stop(self) -> None:
        """Ask for a resume point and an early end. Safe to call from a signal handler."""
        self._stop_asked = True

    def run(self) -> Outcome:
        """Train until the job rests.

        Raises:
            Fenced: another worker holds the job.
        """
        try:
            job = self._begin()
            note_attempt(self._database, self._fence, self._environment(job))
            torch.set_num_threads(job.spec.num_threads)
            torch.use_deterministic_algorithms(True)
            self._train(job)
        except _Rest as rest:
            return rest.outcome
        except RowDamaged as error:
            self._fail(error)
        except (RecordError, StoreUnavailable):
            raise
        except EwcError as error:
            self._fail(error)
        return Outcome.SETTLED

    def _begin(self) -> JobRecord:
        with self._database.fenced(self._fence) as work:
            job = work.jobs.get(self._fence.job_id, lock=True)
            if job.desired_state == DesiredState.RUN:
                self._move(work, JobStatus.RUNNING, "trainer_started")
                return job
        self._obey(job.desired_state)
        raise _Rest(Outcome.SETTLED)

    def _environment(self, job: JobRecord) -> dict[str, str]:
        with self._database.read() as work:
            announced = [task.spec.model_dump(mode="json") for task in work.tasks.list(job.id)]
        return fingerprint(job.spec, announced)

    def _train(self, job: JobRecord) -> None:
        if isinstance(job.spec, AssociationSpec):
            self._compute(AssociationRun(job.spec))
        elif isinstance(job.spec, AnalysisSpec):
            subject = load_subject(self._database, job.spec, owner=job.owner, data_dir=self._settings.data_dir)
            self._compute(AnalysisRun(job.spec, subject))
        else:
            training = restore_training(self._database, self._settings, self._fence, job)
            while (visit := self._next_visit(job.learning.method.kind)) is not None:
                self._learn(job, training, visit)

    def _compute(self, computation: Computation) -> None:
        driver = ComputationDriver(self._database, self._settings, self._fence, self._recorder)
        driver.run(
            computation,
            obey=self._obey_between_units,
            stop_asked=lambda: self._stop_asked,
            stop=self._stop_between_units,
            settle=lambda work: self._move(work, JobStatus.SUCCEEDED, "computed"),
        )

    def _next_visit(self, method: str) -> Visit | None:
        """The next visit of the stream; None after moving the job to `waiting` or `succeeded`."""
        with self._database.fenced(self._fence) as work:
            job = work.jobs.summary(self._fence.job_id, lock=True)
            if job.desired_state != DesiredState.RUN:
                desired = job.desired_state
            else:
                switch = work.switches.next_visit(job.id)
                if switch is not None:
                    return _visit_of(work, switch)
                self._end_of_stream(work, job, method)
                return None
        self._obey(desired)
        return None

    def _end_of_stream(self, work: Work, job: JobSummary, method: str) -> None:
        latest = work.checkpoints.latest(job.id, method=method)
        if latest is not None:
            work.jobs.set_weights(job.id, weights_sha256=latest.weights_sha256)
        if job.stream == "open":
            self._move(work, JobStatus.WAITING, "no_task_left")
        else:
            self._move(work, JobStatus.SUCCEEDED, "all_tasks_learned")
            remove_replays(self._settings, job.id)

    def _learn(self, job: JobRecord, training: Training, visit: Visit) -> None:
        if training.step == 0:
            training.set_constraint_weights(self._constraint_weights())
        rows: list[Evaluated] = []
        consolidated: dict[int, Consolidated] = {}
        method = job.learning.method.kind
        finished: VisitFinished | None = None
        for event in training.learn(visit):
            match event:
                case VisitStarted():
                    self._recorder.start_visit(visit, step=event.step, num_steps=event.num_steps)
                case DataRead():
                    self._recorder.data_read(event)
                case ZeroShot():
                    self._recorder.zero_shot(event)
                case Stepped():
                    self._after_step(training, event)
                case StepLogged():
                    self._recorder.log_step(event)
                case ScoresLogged():
                    self._recorder.log_scores(event)
                case Warned():
                    self._recorder.warn(event)
                case FisherProgress():
                    self._after_fisher_chunk(training, event)
                case EpisodesLogged():
                    self._recorder.log_episodes(event)
                case TaskRecognised():
                    self._recorder.recognise(event)
                case Consolidated():
                    if event.method == method:
                        consolidated[event.constraint.task_index] = event
                case Evaluated():
                    rows.append(event)
                case VisitFinished():
                    finished = event
        if finished is None:
            raise AssertionError(f"training of visit {visit.index} ended without VisitFinished")
        is_at_end = isinstance(training, SupervisedRun)  # agents consolidate a game when they leave it
        own = consolidated.pop(visit.task_index, None) if is_at_end else None
        others = list(consolidated.values())
        left = LeftByVisit(finished, method, training.weights(method), rows, own=own, others=others)
        self._recorder.commit_visit(left, training.capture())
        self._note_point(training)

    def _constraint_weights(self) -> dict[int, float]:
        """How often constraints count, where their owner has changed it."""
        with self._database.read() as work:
            constraints = work.constraints.list(self._fence.job_id)
        return {constraint.task_index: constraint.weight for constraint in constraints if constraint.weight != 1.0}

    def _after_step(self, training: Training, event: Stepped) -> None:
        if self._stop_asked:
            self._stop_here(training)
        if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
            orders = self._recorder.flush(event.visit, step=event.step, num_steps=event.num_steps)
            self._obey_at(training, orders.desired_state)
            if orders.is_cut and event.visit.max_steps is None and event.step < event.num_steps:
                self._recorder.mark_cut(event.visit, step=event.step)
                training.end_visit_now()
        # Where resume points are large, most of the time still goes into training.
        pause = max(self._settings.resume_seconds, SHARE_OF_POINTS * self._seconds_of_point)
        if event.is_point_due or time.monotonic() - self._last_point >= pause:
            started = time.monotonic()
            self._recorder.save_resume_point(training.capture())
            self._seconds_of_point = time.monotonic() - started
            self._note_point(training)

    def _note_point(self, training: Training) -> None:
        self._last_point = time.monotonic()
        if isinstance(training, ReinforcementRun):
            training.drop_other_generations()

    def _after_fisher_chunk(self, training: Training, event: FisherProgress) -> None:
        if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
            progress = (event.num_done, event.num_examples)
            orders = self._recorder.flush(event.visit, step=training.step, num_steps=training.step, fisher=progress)
            self._obey_at(training, orders.desired_state)
        if self._stop_asked and training.can_capture:
            self._stop_here(training)

    def _stop_here(self, training: Training) -> None:
        self._recorder.save_resume_point(training.capture())
        raise _Rest(Outcome.STOPPED)

    def _stop_between_units(self, save: Callable[[], None]) -> None:
        save()
        raise _Rest(Outcome.STOPPED)

    def _obey_between_units(self, desired_state: str, save: Callable[[], None]) -> None:
        if desired_state == DesiredState.PAUSE:
            save()
        self._obey(desired_state)

    def _obey_at(self, training: Training, desired_state: str) -> None:
        """As `_obey`, in the middle of a visit: a pause keeps its place."""
        if desired_state == DesiredState.PAUSE:
            if not training.can_capture:
                return
            self._recorder.save_resume_point(training.capture())
        self._obey(desired_state)

    def _obey(self, desired_state: str) -> None:
        """Bring the job to rest if its owner asked for it. Raises `_Rest` then."""
        if desired_state == DesiredState.CANCEL:
            with self._database.fenced(self._fence) as work:
                self._move(work, JobStatus.CANCELLED, "cancelled")
            raise _Rest(Outcome.SETTLED)
        if desired_state == DesiredState.PAUSE:
            with self._database.fenced(self._fence) as work:
                self._move(work, JobStatus.PAUSED, "paused")
            raise _Rest(Outcome.SETTLED)

    def _fail(self, error: EwcError) -> None:
        """The job itself is at fault (its spec, its data, a diverging loss): no attempt can help before somebody acts."""
        log.warning("job %s failed: %s", self._fence.job_id, error)
        details = {"code": error.code, "message": str(error), "retryable": error.retryable}
        with self._database.fenced(self._fence) as work:
            job = work.jobs.standing(self._fence.job_id, lock=True)
            if job.status == JobStatus.CANCELLING:
                self._move(work, JobStatus.CANCELLED, "cancelled")
                return
            work.events.append(job.id, type="job.failed", message=str(error), data=details, level="error")
            work.jobs.transition(
                job.id, JobStatus.FAILED, reason=error.code, actor=self._fence.worker_id, epoch=self._fence.epoch, error=details
            )

    def _move(self, work: Work, to: JobStatus, reason: str) -> None:
        work.jobs.transition(self._fence.job_id, to, reason=reason, actor=self._fence.worker_id, epoch=self._fence.epoch)


def _visit_of(work: Work, switch: SwitchRecord) -> Visit:
    if switch.visit_index is None or switch.task_index is None:
        raise AssertionError(f"task switch {switch.sequence} starts no visit")
    task = work.tasks.get(switch.job_id, switch.task_index).spec
    return Visit(index=switch.visit_index, task_index=switch.task_index, task=task, max_steps=switch.cut_at_step)
