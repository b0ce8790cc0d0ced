"""Sweeps: making and cancelling them, and their bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from api.caller import Caller
from api.errors import SweepFinished
from api.jobs.moves import TARGETS, Move, make_move
from api.jobs.needs import require_needs
from api.jobs.schemas import JobError
from api.readable import stored_values
from api.root_path import public_path
from api.sweeps import schemas
from api.sweeps.schemas import BestTrial, Sweep, Trial, TrialCounts
from ewc_core.specs import Scalar, SweepSpec
from ewc_core.sweep.trials import best
from store.settings import StoreSettings
from store.sweep_records import SweepRecord, SweepSummary
from store.unit_of_work import Work


def create_sweep(work: Work, spec: SweepSpec, *, caller: Caller, settings: StoreSettings, request_id: str) -> SweepRecord:
    """Write a running sweep; a worker makes its trials.

    Raises:
        DatasetUnavailable: a task's data set has files, and they are not in the data directory.
        SpecError: a plug-in that is not installed.
    """
    require_needs(spec.job, settings, field="job.")
    return work.sweeps.create(spec, owner=caller.owner, request_id=request_id)


def cancel_sweep(work: Work, sweep_id: str, *, caller: Caller) -> SweepRecord:
    """End the caller's sweep, and cancel the jobs of the trials that have not ended.

    Raises:
        NotFound: no such sweep of this owner.
        SweepFinished: it is over already.
    """
    sweep = work.sweeps.get(sweep_id, owner=caller.owner, lock=True)
    if sweep.status != "running":
        raise SweepFinished(sweep_id, sweep.status)
    unsettled = [trial for trial in work.sweeps.trials(sweep_id) if trial.status == "running"]
    for trial in sorted(unsettled, key=lambda trial: trial.job_id):
        job = work.jobs.standing(trial.job_id, lock=True)
        if job.status in TARGETS[Move.CANCEL]:
            make_move(work, job.id, Move.CANCEL, caller)
        work.sweeps.settle_trial(sweep_id, trial.number, score=None)
    return work.sweeps.finish(sweep_id, "cancelled")


def summary_bodies(work: Work, sweeps: Sequence[SweepSummary]) -> list[schemas.SweepSummary]:
    """Sweeps as lists show them."""
    counts = work.sweeps.num_trials([sweep.id for sweep in sweeps])
    return [_summary_body(sweep, counts[sweep.id]) for sweep in sweeps]


def _summary_body(sweep: SweepSummary, num_trials: Mapping[str, int]) -> schemas.SweepSummary:
    with stored_values(sweep.id):
        return schemas.SweepSummary(**_common(sweep, num_trials))


def sweep_body(work: Work, sweep: SweepRecord) -> Sweep:
    """The sweep as the service shows it."""
    trials = work.sweeps.trials(sweep.id)
    winner = best(trials)
    return Sweep(
        **_common(sweep, Counter(trial.status for trial in trials)),
        spec=sweep.stored_spec,
        trials=[Trial.model_validate({name: getattr(trial, name) for name in Trial.model_fields}) for trial in trials],
        best=None
        if winner is None
        else BestTrial.model_validate({name: getattr(winner, name) for name in BestTrial.model_fields}),
        best_job_spec=None if winner is None else _final_job(sweep.stored_spec["job"], winner.parameters),
    )


def _common(sweep: SweepSummary, num_trials: Mapping[str, int]) -> dict[str, Any]:
    path = public_path(f"/v1/sweeps/{sweep.id}")
    return {
        "id": sweep.id,
        "name": sweep.name,
        "status": sweep.status,
        "created_at": sweep.created_at,
        "updated_at": sweep.updated_at,
        "finished_at": sweep.finished_at,
        "num_trials": TrialCounts(
            planned=sweep.num_planned,
            running=num_trials["running"],
            completed=num_trials["completed"],
            failed=num_trials["failed"],
        ),
        "error": JobError.model_validate(sweep.error) if sweep.error is not None else None,
        "request_id": sweep.request_id,
        "links": {"self": path, "cancel": f"{path}/cancel"},
    }


def _final_job(stored_job: Mapping[str, Any], parameters: Mapping[str, Scalar]) -> dict[str, Any]:
    """As `SweepSpec.final_job`, on the document: what was once accepted is shown, whatever today's rules say of it."""
    job = deepcopy(dict(stored_job))
    for name, value in parameters.items():
        place: Any = job
        *parts, last = name.split(".")
        for part in parts:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[int(last) if isinstance(place, list) else last] = value
    job["training"]["evaluate_on"] = "test"
    return job
