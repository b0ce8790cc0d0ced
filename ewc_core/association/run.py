"""Association jobs, as the record holds them."""

from __future__ import annotations

from ewc_core.association.computation import AssociationComputation
from ewc_core.association.size_of import size_of
from ewc_core.specs import AssociationSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.units import UnitRun


def take_up(spec: AssociationSpec, stored: StoredJob) -> UnitRun:
    """The run of a job as its record has it; see `ewc_core.training.take_up`."""
    computation, point = AssociationComputation(spec), stored.point
    if point is None:  # what goes on was let in before, under the limits of then
        stored.limits.require(size_of(computation), field="num_synapses")
    return UnitRun.at(computation, point)
