"""What an association job will take."""

from __future__ import annotations

from ewc_core.association.computation import AssociationComputation
from ewc_core.specs.limits import PROCESS_BYTES, JobSize
from ewc_core.specs.size import CELL_BYTES, RECORD_BYTES

_NUM_CURVES = 9
"""Of each rule, at most."""


def size_of(computation: AssociationComputation) -> JobSize:
    """The estimate: a unit's tensors beside the process; a point of every curve at every recorded time."""
    spec = computation.spec
    num_points = len(spec.rules) * len(computation.times) * _NUM_CURVES
    return JobSize(spec.num_synapses, PROCESS_BYTES + computation.unit_bytes, RECORD_BYTES + num_points * CELL_BYTES)
