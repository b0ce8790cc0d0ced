"""What a job that is only looked at has in the record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ewc_core.checking.look import Look
from ewc_core.checking.run import take_up
from ewc_core.specs import JOB_SPEC
from ewc_core.specs.limits import NO_LIMITS, JobLimits


@dataclass(frozen=True)
class Stored:
    """The part of a `StoredJob` that looks read."""

    data_dir: Path | None = None
    limits: JobLimits = NO_LIMITS
    point: None = None


def looked_over(job: dict[str, Any], *, data_dir: Path | None = None, limits: JobLimits = NO_LIMITS) -> dict[str, Any]:
    """The findings of a check of this job."""
    run = take_up(JOB_SPEC.validate_python({"kind": "check", "job": job}), Stored(data_dir, limits))
    assert list(run.work()) == [1]
    return run.findings().body


def bodies(look: Look) -> list[tuple[str, str]]:
    """Field and message of every mistake."""
    return [(error.field, str(error)) for error in look.mistakes]
