"""What the repository of sweeps returns: frozen values, never rows. All times are timezone-aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from ewc_core.specs import Scalar, SweepSpec
from ewc_core.specs.stored import sweep_spec_from_stored


@dataclass(frozen=True)
class SweepSummary:
    """A sweep without its spec, of which only `num_planned`, its number of trials, is read. `status` is running, succeeded,
    failed or cancelled."""

    id: str
    owner: str
    name: str | None
    num_planned: int
    status: str
    error: Mapping[str, Any] | None
    request_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class SweepRecord(SweepSummary):
    """A sweep with its spec as it was stored: `spec` is read from it when it is first asked for."""

    stored_spec: Mapping[str, Any]

    @cached_property
    def spec(self) -> SweepSpec:
        """What was submitted; it was checked then, and is not checked anew."""
        return sweep_spec_from_stored(self.stored_spec)


@dataclass(frozen=True)
class TrialRecord:
    """`status` is running, completed (then there is a score) or failed."""

    sweep_id: str
    number: int
    job_id: str
    parameters: Mapping[str, Scalar]
    status: str
    score: float | None
    created_at: datetime
    finished_at: datetime | None
