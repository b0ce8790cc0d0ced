"""A whole sweep in one process, without the service."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ewc_core.errors import NonFiniteError
from ewc_core.events import DataRead, Evaluated
from ewc_core.specs import Scalar, SupervisedSpec, SweepSpec
from ewc_core.supervised import run
from ewc_core.sweep.proposer import propose
from ewc_core.sweep.trials import Trial, best, next_number, trial_score


@dataclass(frozen=True)
class TrialStarted:
    """A trial is about to be trained."""

    number: int
    parameters: Mapping[str, Scalar]
    job: SupervisedSpec


@dataclass(frozen=True)
class TrialFinished:
    """A trial has its score, or none with the reason in `error`: its training diverged."""

    trial: Trial
    error: str | None = None


@dataclass(frozen=True)
class SweepFinished:
    """Nothing is left to try. `best` and the job to judge it by on test data are None when every trial failed."""

    trials: Sequence[Trial]
    best: Trial | None
    final_job: SupervisedSpec | None


SweepEvent = TrialStarted | TrialFinished | SweepFinished


def run_sweep(spec: SweepSpec, *, data_dir: Path | None = None, finished: Sequence[Trial] = ()) -> Iterator[SweepEvent]:
    """Train trial after trial, going on behind the `finished` ones of an earlier call.

    Raises:
        SpecError: a data set is unavailable, or values that are valid alone make no valid job together.
        DataChanged: data are not what the first of these trials learned from, so that scores could not be compared.
    """
    trials = list(finished)
    digests: dict[str, str] = {}
    while (parameters := propose(spec, trials, ())) is not None:
        number = next_number(trials)
        job = spec.trial_job(parameters)
        yield TrialStarted(number, parameters, job)
        try:
            score, error = validation_score(job, data_dir=data_dir, digests=digests), None
        except NonFiniteError as diverged:
            score, error = None, str(diverged)
        trials.append(Trial(number, parameters, score))
        yield TrialFinished(trials[-1], error)
    winner = best(trials)
    yield SweepFinished(trials, winner, None if winner is None else spec.final_job(winner.parameters))


def validation_score(job: SupervisedSpec, *, data_dir: Path | None = None, digests: dict[str, str] | None = None) -> float:
    """Train a trial's job; its `trial_score`.

    Data must be those of `digests`, by name; those of what is read for the first time are added.

    Raises:
        SpecError: a data set is unavailable.
        DataChanged: data are not those of `digests`.
        NonFiniteError: training diverged, or no task has a score (R² of constant targets).
    """
    score: float | None = None
    known = {} if digests is None else digests
    for event in run(job, data_dir=data_dir, digests=known):
        if isinstance(event, DataRead):
            known.update({digest.name: digest.sha256 for read in event.tasks.values() for digest in read.digests})
        if isinstance(event, Evaluated) and event.method == job.method.kind:
            score = trial_score(event.scores)
    if score is None or not math.isfinite(score):
        raise NonFiniteError(f"the mean validation score is {'undefined' if score is None else score}; expected a finite number")
    return score
