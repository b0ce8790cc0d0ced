"""Writing what training yields: every write is one short fenced transaction, so a stale trainer changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ewc_core.events import (
    DataRead,
    EpisodesLogged,
    ScoresLogged,
    StepLogged,
    TaskRecognised,
    Visit,
    VisitFinished,
    Warned,
    ZeroShot,
)
from ewc_core.resume import ResumePoint
from ewc_core.training.units import Findings
from store.blobs import stage_blob
from store.records import Fence, MetricPoint
from store.unit_of_work import Database, Work
from worker.announced_data import lines_of
from worker.announcements import Announcements
from worker.checkpoint import MEDIA_TYPE
from worker.finished_visit import FinishedVisit
from worker.matrix_row import write_matrix_row
from worker.snapshot import StagedSnapshot


@dataclass(frozen=True)
class Orders:
    """What the record asks of a running trainer. `is_cut`: a task switch ends the current visit at once."""

    desired_state: str
    is_cut: bool


class Recorder:
    """Writes for one trainer under one fence."""

    def __init__(self, database: Database, fence: Fence) -> None:
        self._database = database
        self._fence = fence
        self._metrics: list[MetricPoint] = []
        self._losses: Mapping[str, float] = {}
        self._last_flush = time.monotonic()
        self._announcements = Announcements()

    @property
    def seconds_since_flush(self) -> float:
        """Age of the last flush."""
        return time.monotonic() - self._last_flush

    def start_visit(self, visit: Visit, *, step: int, num_steps: int) -> None:
        """Mark the visit and its task as being trained."""
        with self._database.fenced(self._fence) as work:
            job_id = self._fence.job_id
            work.switches.start_visit(job_id, visit.index)
            work.tasks.set_status(job_id, visit.task_index, "training")
            work.jobs.record_progress(job_id, visit_index=visit.index, step=step, num_steps=num_steps)
            verb = "begins" if step == 0 else f"goes on at step {step}"
            work.events.append(
                job_id,
                type="visit.started" if step == 0 else "visit.resumed",
                message=f"visit {visit.index}: task {visit.task_index} ({visit.task.title}) {verb}",
                data={
                    "visit_index": visit.index,
                    "task_index": visit.task_index,
                    "task": visit.task.title,
                    "step": step,
                    "num_steps": num_steps,
                },
            )

    def data_read(self, event: DataRead) -> None:
        """Keep what is known of data that were loaded, and say it where it is new."""
        with self._database.fenced(self._fence) as work:
            new = work.tasks.note_data(self._fence.job_id, {task: asdict(read) for task, read in event.tasks.items()})
            if new:
                lines = lines_of({task: event.tasks[task] for task in new})
                work.events.append(
                    self._fence.job_id,
                    type="data.read",
                    message="; ".join(lines),
                    data={"visit_index": event.visit.index, "task_indices": new, "lines": lines},
                )

    def zero_shot(self, event: ZeroShot) -> None:
        """Write the scores of a task before it is first trained."""
        with self._database.fenced(self._fence) as work:
            task, visit_index = event.visit.task_index, event.visit.index
            rows = {-1: event.untrained} if visit_index == 0 else {-1: event.untrained, visit_index - 1: event.current}
            for after_visit, cell in rows.items():
                measured = {} if cell is None else {task: cell}
                write_matrix_row(work, self._fence.job_id, method=event.method, after_visit=after_visit, measured=measured)

    def log_step(self, event: StepLogged) -> None:
        """Keep losses and penalties for the next flush."""
        for name, values in (("loss", event.losses), ("penalty", event.penalties)):
            self._metrics.extend(
                MetricPoint(method=method, name=name, visit_index=event.visit.index, step=event.step, value=value)
                for method, value in values.items()
            )
        self._losses = event.losses

    def log_scores(self, event: ScoresLogged) -> None:
        """Keep scores on the tasks seen for the next flush, as curves `score.task_<index>`."""
        self._metrics.extend(
            MetricPoint(method=method, name=f"score.task_{task}", visit_index=event.visit.index, step=event.step, value=score)
            for method, scores in event.scores.items()
            for task, score in scores.items()
        )

    def log_episodes(self, event: EpisodesLogged) -> None:
        """Keep the returns of training episodes for the next flush, as curves `return`."""
        self._metrics.extend(
            MetricPoint(method=method, name="return", visit_index=event.visit.index, step=event.step, value=value)
            for method, value in event.returns.items()
        )

    def recognise(self, event: TaskRecognised) -> None:
        """Write that an agent changed its mind about the task it plays: a task switch, announced or inferred."""
        visit = event.visit
        found = "a task that it does not know" if event.is_new else f"task {event.label} of its own"
        told = "is told" if event.origin == "announced" else f"recognises, {event.num_steps_late} steps into the visit,"
        with self._database.fenced(self._fence) as work:
            work.events.append(
                self._fence.job_id,
                type="switch.applied",
                message=f"visit {visit.index}: {event.method} {told} {found}",
                data={
                    "visit_index": visit.index,
                    "task_index": visit.task_index,
                    "step": event.num_steps_late,
                    "origin": event.origin,
                    "method": event.method,
                    "label": event.label,
                    "previous_label": event.previous,
                    "is_new": event.is_new,
                    "posterior": event.posterior,
                    "num_steps_late": event.num_steps_late,
                },
            )

    def warn(self, event: Warned) -> None:
        """Write a warning as an event."""
        with self._database.fenced(self._fence) as work:
            work.events.append(
                self._fence.job_id,
                type="job.warning",
                level="warn",
                message=event.message,
                data={
                    "code": event.code,
                    "method": event.method,
                    "visit_index": event.visit.index,
                    "task_index": event.visit.task_index,
                },
            )

    def flush_units(self, *, step: int, num_steps: int) -> str:
        """Write the progress of a job without tasks, and read the state that is asked of it, in one transaction."""
        with self._database.fenced(self._fence) as work:
            job_id = self._fence.job_id
            work.jobs.record_progress(job_id, visit_index=None, step=step, num_steps=num_steps)
            if self._announcements.is_due(0, step, num_steps):
                work.events.append(
                    job_id,
                    type="job.progress",
                    message=f"unit {step} of {num_steps}",
                    data={"step": step, "num_steps": num_steps},
                )
            desired_state = work.jobs.orders(job_id).desired_state
        self._last_flush = time.monotonic()
        return desired_state

    def write_findings(self, work: Work, findings: Findings, *, num_steps: int) -> None:
        """Write the result of a job without tasks, within the transaction `work`."""
        points = findings.curves
        metrics = [MetricPoint(method=it.method, name=it.name, visit_index=0, step=it.step, value=it.value) for it in points]
        work.metrics.put(self._fence.job_id, metrics)
        work.results.put(self._fence.job_id, findings.body)
        work.jobs.record_progress(self._fence.job_id, visit_index=None, step=num_steps, num_steps=num_steps)

    def flush(self, visit: Visit, *, step: int, num_steps: int, fisher: tuple[int, int] | None = None) -> Orders:
        """Write metrics and progress, and read what is asked of this job, in one transaction."""
        with self._database.fenced(self._fence) as work:
            self._write_metrics(work)
            job_id = self._fence.job_id
            work.jobs.record_progress(job_id, visit_index=visit.index, step=step, num_steps=num_steps)
            if fisher is None and self._announcements.is_due(visit.index, step, num_steps):
                work.events.append(
                    job_id,
                    type="visit.progress",
                    message=f"visit {visit.index}: step {step} of {num_steps}",
                    data={
                        "visit_index": visit.index,
                        "task_index": visit.task_index,
                        "step": step,
                        "num_steps": num_steps,
                        "losses": dict(self._losses),
                    },
                )
            elif fisher is not None:
                work.tasks.set_status(job_id, visit.task_index, "estimating_fisher")
                work.events.append(
                    job_id,
                    type="fisher.progress",
                    message=f"visit {visit.index}: Fisher over {fisher[0]} of {fisher[1]} examples",
                    data={
                        "visit_index": visit.index,
                        "task_index": visit.task_index,
                        "num_done": fisher[0],
                        "num_examples": fisher[1],
                    },
                )
            orders = self._read_orders(work, visit)
        self._metrics.clear()
        self._last_flush = time.monotonic()
        return orders

    def save_resume_point(self, point: ResumePoint) -> None:
        """Replace the job's resume point."""
        blob_id = stage_blob(self._database, point.parts(), fence=self._fence, media_type=MEDIA_TYPE)
        with self._database.fenced(self._fence) as work:
            work.blobs.finish(blob_id)
            work.resume_points.put(self._fence.job_id, visit_index=point.visit_index, step=point.step, blob_id=blob_id)
            work.jobs.note_progress_made(self._fence.job_id)

    def mark_cut(self, visit: Visit, *, step: int) -> None:
        """Record at which step task switches ended the visit, before the visit ends there."""
        with self._database.fenced(self._fence) as work:
            self._use_up_cuts(work, visit, step)

    def commit_visit(self, finished: FinishedVisit, snapshot: StagedSnapshot) -> None:
        """Write everything that a finished visit leaves, in one transaction: checkpoints, constraints, scores, snapshot."""
        staged = finished.stage(self._database, self._fence)
        with self._database.fenced(self._fence) as work:
            self._write_metrics(work)
            checkpoint_id = staged.write(work, self._fence.job_id)
            self._write_end_of_visit(work, finished.end, checkpoint_id)
            task_index = finished.end.visit.task_index
            snapshot.write(work, self._fence.job_id, task_index=task_index, checkpoint_id=checkpoint_id)
            work.jobs.note_progress_made(self._fence.job_id)
        self._metrics.clear()

    def _write_end_of_visit(self, work: Work, end: VisitFinished, checkpoint_id: str) -> None:
        job_id, visit = self._fence.job_id, end.visit
        self._use_up_cuts(work, visit, end.num_steps)
        work.switches.finish_visit(job_id, visit.index, num_steps=end.num_steps)
        work.tasks.note_visit_done(job_id, visit.task_index, num_examples_seen=end.num_examples_seen, checkpoint_id=checkpoint_id)
        work.tasks.set_status(job_id, visit.task_index, "completed")
        work.jobs.record_progress(job_id, visit_index=visit.index, step=end.num_steps, num_steps=end.num_steps)
        work.events.append(
            job_id,
            type="visit.finished",
            message=f"visit {visit.index}: finished after {end.num_steps} steps",
            data={
                "visit_index": visit.index,
                "task_index": visit.task_index,
                "num_steps": end.num_steps,
                "checkpoint_id": checkpoint_id,
            },
        )

    def _write_metrics(self, work: Work) -> None:
        if self._metrics:
            work.metrics.put(self._fence.job_id, self._metrics)

    def _use_up_cuts(self, work: Work, visit: Visit, step: int) -> None:
        """All of them: a second request that was meant for this visit must not cut the next one."""
        job_id = self._fence.job_id
        by = work.switches.cuts_requested(job_id, visit_index=visit.index)
        if not by:
            return
        work.switches.mark_cut(job_id, visit_index=visit.index, step=step, by=by)
        events = [
            {
                "type": "switch.applied",
                "level": "info",
                "message": f"visit {visit.index} ends at step {step}: task switch {switch.sequence}",
                "data": {"visit_index": visit.index, "step": step, "sequence": switch.sequence, "action": switch.action},
            }
            for switch in by
        ]
        work.events.append_all(job_id, events)

    def _read_orders(self, work: Work, visit: Visit) -> Orders:
        job_id = self._fence.job_id
        is_cut = work.switches.is_cut_requested(job_id, visit_index=visit.index)
        return Orders(desired_state=work.jobs.orders(job_id).desired_state, is_cut=is_cut)
