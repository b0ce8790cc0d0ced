"""Moving sweeps on: settle trials whose jobs have ended, and queue the jobs of the next ones.

Any process may do it at any time. What a sweep needs is read and worked out without a lock; the result is written in
one transaction, and only if the sweep is still at the version that it was worked out from: of several processes that
move the same sweep at the same time one does, and the others leave it alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean
from typing import Any

from ewc_core.errors import RowDamaged, SpecError, StoreUnavailable
from ewc_core.specs import Scalar, SupervisedSpec, SweepSpec
from ewc_core.sweep.proposer import Trial, next_number, propose
from store.job_states import FINISHED, JobStatus
from store.queue import WakeUps
from store.sweep_records import SweepRecord, TrialRecord
from store.unit_of_work import Database, Work

log = logging.getLogger(__name__)

SWEEP_ID, TRIAL = "sweep_id", "trial"
"""What the metadata of a trial's job say."""


def advance(database: Database, wake_ups: WakeUps) -> list[str]:
    """Move every running sweep on as far as it goes now; the jobs that were queued. A wake-up is sent after the commit.

    Raises:
        StoreUnavailable: the database cannot be used. Without a broker the jobs wait for the reaper.
    """
    with database.read() as work:
        running = work.sweeps.running()
    queued: list[str] = []
    for sweep_id in running:
        try:
            queued += advance_one(database, sweep_id)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever one sweep meets, the others go on)
            _say_stuck(sweep_id, f"{type(error).__name__}: {error}")
    if queued:
        _wake(database, wake_ups, queued)
    return queued


def _wake(database: Database, wake_ups: WakeUps, queued: Sequence[str]) -> None:
    try:
        wake_ups.publish()
    except StoreUnavailable as error:
        log.warning("%d jobs are queued, and the reaper will wake them: %s", len(queued), error)
        return
    with database.write() as work:
        work.queue.mark_woken(queued)


@cache
def _say_stuck(sweep_id: str, why: str) -> None:
    """Once for each reason, not as often as it is tried."""
    log.error("sweep %s cannot be moved on: %s", sweep_id, why, exc_info=True)


def advance_one(database: Database, sweep_id: str) -> list[str]:
    """Move one sweep on; the jobs that were queued.

    Raises:
        StoreUnavailable: the database cannot be used.
    """
    with database.read() as work:
        sweep, trials, scores = _observe(work, sweep_id)
    plan = _plan(sweep.spec, trials, scores)
    if sweep.status != "running" or plan.is_empty:
        return []
    with database.write() as work:
        if work.sweeps.get(sweep_id, lock=True).version != sweep.version:
            return []
        return _carry_out(work, sweep, plan)


@dataclass(frozen=True)
class _Plan:
    """What is to be written. `settled` maps trial numbers to scores (None: failed); `outcome` ends the sweep."""

    settled: Mapping[int, float | None] = field(default_factory=dict)
    started: Mapping[int, tuple[Mapping[str, Scalar], SupervisedSpec]] = field(default_factory=dict)
    outcome: str | None = None
    error: Mapping[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.settled or self.started or self.outcome)


def _observe(work: Work, sweep_id: str) -> tuple[SweepRecord, list[TrialRecord], dict[int, float | None]]:
    """The sweep, its trials, and the scores of those that have ended since they were last looked at."""
    sweep = work.sweeps.get(sweep_id)
    trials = {trial.number: trial for trial in work.sweeps.trials(sweep_id)}
    ended = {number: status for number, status in work.sweeps.statuses_of_running_trials(sweep_id).items() if status in FINISHED}
    succeeded = {number: trials[number].job_id for number, status in ended.items() if status is JobStatus.SUCCEEDED}
    means = _mean_scores(work, list(succeeded.values()), sweep.spec.job)
    return sweep, list(trials.values()), {number: means[succeeded[number]] if number in succeeded else None for number in ended}


def _mean_scores(work: Work, job_ids: Sequence[str], job: SupervisedSpec) -> dict[str, float | None]:
    """By job, the mean of the method's validation score after the last visit over all tasks where it is defined; None without
    any."""
    rows = work.evaluations.scores_after(job_ids, method=job.method.kind, after_visit=len(job.tasks) - 1)
    return {job_id: fmean(row[task] for task in sorted(row)) if row else None for job_id, row in rows.items()}


def _plan(spec: SweepSpec, trials: Sequence[TrialRecord], scores: Mapping[int, float | None]) -> _Plan:
    finished: list[Trial] = []
    pending: list[Trial] = []
    for trial in trials:
        score = scores.get(trial.number, trial.score)
        is_pending = trial.status == "running" and trial.number not in scores
        (pending if is_pending else finished).append(Trial(trial.number, trial.parameters, score))
    started: dict[int, tuple[Mapping[str, Scalar], SupervisedSpec]] = {}
    while len(pending) < spec.max_parallel and (parameters := propose(spec, finished, pending)) is not None:
        number = next_number(finished, pending)
        try:
            started[number] = (parameters, spec.trial_job(parameters))
        except SpecError as error:  # its values are valid alone, but not together: no trial can stand in its place
            if pending:
                break
            return _Plan(settled=scores, outcome="failed", error={"code": error.code, "message": str(error)})
        pending.append(Trial(number, parameters))
    if pending:
        return _Plan(settled=scores, started=started)
    outcome = "succeeded" if any(trial.score is not None for trial in finished) else "failed"
    return _Plan(settled=scores, outcome=outcome)


def _carry_out(work: Work, sweep: SweepRecord, plan: _Plan) -> list[str]:
    for number, score in plan.settled.items():
        work.sweeps.settle_trial(sweep.id, number, score=score)
    queued = []
    known = _data_of_trials(work, sweep.id)
    for number, (parameters, spec) in plan.started.items():
        job = work.jobs.create(_labelled(spec, sweep, number), owner=sweep.owner, request_id=sweep.request_id)
        work.tasks.note_data(job.id, known)
        work.sweeps.add_trial(sweep.id, number=number, job_id=job.id, parameters=parameters)
        queued.append(job.id)
    if plan.outcome is not None:
        error = plan.error
        if plan.outcome == "failed" and error is None:
            error = _all_failed(work, sweep.id)
        work.sweeps.finish(sweep.id, plan.outcome, error=error)
        log.info("sweep %s %s", sweep.id, plan.outcome)
    return queued


def _data_of_trials(work: Work, sweep_id: str) -> dict[int, Mapping[str, Any]]:
    """What the first trial that has begun read, by task: scores on other data could not be compared with its own."""
    trials = sorted(work.sweeps.trials(sweep_id), key=lambda trial: trial.number)
    noted = (work.tasks.noted_data(trial.job_id) for trial in trials)
    return next((data for data in noted if data), {})


def _labelled(spec: SupervisedSpec, sweep: SweepRecord, number: int) -> SupervisedSpec:
    name = f"{(sweep.name or spec.name or 'sweep')[:100]}, trial {number}"
    return spec.model_copy(update={"name": name, "metadata": {**spec.metadata, SWEEP_ID: sweep.id, TRIAL: str(number)}})


def _all_failed(work: Work, sweep_id: str) -> dict[str, Any]:
    """No trial has a score: the error of the last one stands for all."""
    trials = work.sweeps.trials(sweep_id)
    last = max(trials, key=lambda trial: (trial.finished_at or trial.created_at, trial.number))
    try:
        job = work.jobs.summary(last.job_id)
        why = job.error["message"] if job.error is not None else f"it {job.status.value}, with no score that is defined"
    except RowDamaged as error:
        why = str(error)
    message = f"none of {len(trials)} trials has a score; the last one was trial {last.number}, job {last.job_id}: {why}"
    return {"code": "no_trial_succeeded", "message": message, "job_id": last.job_id}
