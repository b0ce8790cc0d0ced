"""Analyses, as the record holds them."""

from __future__ import annotations

from ewc_core.analysis.computation import AnalysisComputation
from ewc_core.specs import AnalysisSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.units import UnitRun


def take_up(spec: AnalysisSpec, stored: StoredJob) -> UnitRun:
    """The run of a job as its record has it; see `ewc_core.training.take_up`."""
    subject = stored.subject(spec.job_id, at_visit=spec.question.visit)
    return UnitRun.at(AnalysisComputation(spec, subject), stored.point)
