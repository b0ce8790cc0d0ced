"""Running a job: load the record, train visit after visit or do unit after unit, hand what comes of it to the recorder."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import TypeVar

import torch

from ewc_core.errors import EwcError, RecordError, ResumePointDamaged, RowDamaged, StoreUnavailable
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
from ewc_core.training.run import Run
from ewc_core.training.stored import StoredJob
from ewc_core.training.take_up import take_up_tasks, take_up_units
from ewc_core.training.units import UnitRun
from ewc_core.training.visits import VisitRun
from store.job_states import DesiredState, JobStatus
from store.records import Fence, JobRecord, JobSummary, SwitchRecord
from store.unit_of_work import Database, Work
from worker.fingerprint import fingerprint, note_attempt
from worker.finished_visit import FinishedVisit
from worker.lost_point import note_lost_point
from worker.moves import Moves
from worker.recorder import Recorder
from worker.settings import WorkerSettings
from worker.snapshot import SnapshotContent
from worker.stored_job import RecordedJob, remove_replays

TakenUp = TypeVar("TakenUp", VisitRun, UnitRun)
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
        self._moves = Moves(database, fence)
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
            if job.has_tasks:
                self._learn_tasks(job, self._taken_up(job, partial(take_up_tasks, job.learning)))
            else:
                self._do_units(self._taken_up(job, partial(take_up_units, job.spec)))
        except _Rest as rest:
            return rest.outcome
        except RowDamaged as error:
            self._moves.fail(error)
        except (RecordError, StoreUnavailable):
            raise
        except EwcError as error:
            self._moves.fail(error)
        return Outcome.SETTLED

    def _begin(self) -> JobRecord:
        with self._database.fenced(self._fence) as work:
            job = work.jobs.get(self._fence.job_id, lock=True)
            if job.desired_state == DesiredState.RUN:
                self._moves.move(work, JobStatus.RUNNING, "trainer_started")
                return job
        self._obey(job.desired_state)
        raise _Rest(Outcome.SETTLED)

    def _taken_up(self, job: JobRecord, take_up: Callable[[StoredJob], TakenUp]) -> TakenUp:
        """The run at its resume point; where that is damaged, at what comes before it."""
        stored = RecordedJob(self._database, self._settings, self._fence, job)
        try:
            return take_up(stored)
        except ResumePointDamaged as damage:
            lost, earlier = stored.without_point(damage)
        run = take_up(earlier)
        note_lost_point(self._database, self._fence, lost, has_tasks=job.has_tasks)
        return run

    def _environment(self, job: JobRecord) -> dict[str, str]:
        with self._database.read() as work:
            announced = [task.spec.model_dump(mode="json") for task in work.tasks.of_job(job.id)]
        return fingerprint(job.spec, announced)

    def _do_units(self, run: UnitRun) -> None:
        for step in run.work():
            if self._stop_asked:
                self._stop_here(run)
            if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
                self._obey_at(run, self._recorder.flush_units(step=step, num_steps=run.num_steps))
            self._keep_point_when_due(run)
        with self._database.fenced(self._fence) as work:
            self._recorder.write_findings(work, run.findings(), num_steps=run.num_steps)
            self._moves.move(work, JobStatus.SUCCEEDED, "computed")

    def _learn_tasks(self, job: JobRecord, run: VisitRun) -> None:
        while (visit := self._next_visit(job.learning.method.kind)) is not None:
            self._learn(job.learning.method.kind, run, visit)

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
            self._moves.move(work, JobStatus.WAITING, "no_task_left")
        else:
            self._moves.move(work, JobStatus.SUCCEEDED, "all_tasks_learned")
            remove_replays(self._settings, job.id)

    def _learn(self, method: str, run: VisitRun, visit: Visit) -> None:
        if run.step == 0:
            run.set_constraint_weights(self._constraint_weights())
        rows: list[Evaluated] = []
        consolidated: dict[int, Consolidated] = {}
        end: VisitFinished | None = None
        for event in run.learn(visit):
            match event:
                case VisitStarted():
                    self._recorder.start_visit(visit, step=event.step, num_steps=event.num_steps)
                case DataRead():
                    self._recorder.data_read(event)
                case ZeroShot():
                    self._recorder.zero_shot(event)
                case Stepped():
                    self._after_step(run, event)
                case StepLogged():
                    self._recorder.log_step(event)
                case ScoresLogged():
                    self._recorder.log_scores(event)
                case Warned():
                    self._recorder.warn(event)
                case FisherProgress():
                    self._after_fisher_chunk(run, event)
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
                    end = event
        if end is None:
            raise AssertionError(f"training of visit {visit.index} ended without VisitFinished")
        finished = FinishedVisit(end, method, run.weights(method, live=True), rows, consolidated)
        content = SnapshotContent(run.methods, run.capture(live=True), run.files())
        self._recorder.commit_visit(finished, content.stage(self._database, self._fence, self._settings))
        self._note_point(run)

    def _constraint_weights(self) -> dict[int, float]:
        """How often constraints count, where their owner has changed it."""
        with self._database.read() as work:
            constraints = work.constraints.of_job(self._fence.job_id)
        return {constraint.task_index: constraint.weight for constraint in constraints if constraint.weight != 1.0}

    def _after_step(self, run: VisitRun, event: Stepped) -> None:
        if self._stop_asked:
            self._stop_here(run)
        if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
            orders = self._recorder.flush(event.visit, step=event.step, num_steps=event.num_steps)
            self._obey_at(run, orders.desired_state)
            if orders.is_cut and event.visit.max_steps is None and event.step < event.num_steps:
                self._recorder.mark_cut(event.visit, step=event.step)
                run.end_visit_now()
        self._keep_point_when_due(run, is_due=event.is_point_due)

    def _after_fisher_chunk(self, run: VisitRun, event: FisherProgress) -> None:
        if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
            progress = (event.num_done, event.num_examples)
            orders = self._recorder.flush(event.visit, step=run.step, num_steps=run.step, fisher=progress)
            self._obey_at(run, orders.desired_state)
        if self._stop_asked and run.can_capture:
            self._stop_here(run)

    def _keep_point_when_due(self, run: Run, *, is_due: bool = False) -> None:
        # Where resume points are large, most of the time still goes into training.
        pause = max(self._settings.resume_seconds, SHARE_OF_POINTS * self._seconds_of_point)
        if is_due or time.monotonic() - self._last_point >= pause:
            started = time.monotonic()
            self._recorder.save_resume_point(run.capture(live=True))
            self._seconds_of_point = time.monotonic() - started
            self._note_point(run)

    def _note_point(self, run: Run) -> None:
        self._last_point = time.monotonic()
        run.point_kept()

    def _stop_here(self, run: Run) -> None:
        self._recorder.save_resume_point(run.capture(live=True))
        raise _Rest(Outcome.STOPPED)

    def _obey_at(self, run: Run, desired_state: str) -> None:
        """As `_obey`, in the middle of the work: a pause keeps its place."""
        if desired_state == DesiredState.PAUSE:
            if not run.can_capture:
                return
            self._recorder.save_resume_point(run.capture(live=True))
        self._obey(desired_state)

    def _obey(self, desired_state: str) -> None:
        """Bring the job to rest if its owner asked for it. Raises `_Rest` then."""
        if self._moves.obey(desired_state):
            raise _Rest(Outcome.SETTLED)


def _visit_of(work: Work, switch: SwitchRecord) -> Visit:
    if switch.visit_index is None or switch.task_index is None:
        raise AssertionError(f"task switch {switch.sequence} starts no visit")
    task = work.tasks.get(switch.job_id, switch.task_index).spec
    return Visit(index=switch.visit_index, task_index=switch.task_index, task=task, max_steps=switch.cut_at_step)
