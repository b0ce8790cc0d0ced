"""The trials of a sweep: what each is worth, and which is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, TypeVar

from ewc_core.specs import Scalar


@dataclass(frozen=True)
class Trial:
    """One setting that was tried or is being tried. `score` None: it failed, or is not finished yet."""

    number: int
    parameters: Mapping[str, Scalar]
    score: float | None = None


class Scored(Protocol):
    """A trial, however it is kept."""

    @property
    def number(self) -> int:
        """Counts from 0."""

    @property
    def score(self) -> float | None:
        """None: it failed, or is not finished yet."""


AnyTrial = TypeVar("AnyTrial", bound=Scored)


def trial_score(scores: Mapping[int, float]) -> float | None:
    """What a trial is worth: the mean over tasks of the method's validation score after the last visit, where it is defined;
    None where no task has one."""
    return fmean(scores.values()) if scores else None


def best(trials: Sequence[AnyTrial]) -> AnyTrial | None:
    """The trial with the highest score, of equal ones the first; None when none has a score."""
    scored = [(trial.score, -trial.number, trial) for trial in trials if trial.score is not None]
    return max(scored, key=lambda entry: entry[:2])[2] if scored else None


def next_number(*trials: Sequence[Trial]) -> int:
    """The number of the trial that follows these."""
    return 1 + max((trial.number for part in trials for trial in part), default=-1)
