"""Association jobs, as the record holds them."""

from __future__ import annotations

from ewc_core.association.computation import AssociationComputation
from ewc_core.specs import AssociationSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.units import UnitRun


def take_up(spec: AssociationSpec, stored: StoredJob) -> UnitRun:
    """The run of a job as its record has it; see `ewc_core.training.take_up`."""
    return UnitRun.at(AssociationComputation(spec), stored.point)
