"""Constraints on what has been learned, merged into one penalty."""

from ewc_core.consolidation.book import ConstraintBook, ConstraintStore, Merging
from ewc_core.consolidation.constraint import Constraint, weights_sha256
from ewc_core.consolidation.interface import Penalty
from ewc_core.consolidation.merge import merge, merge_latest
from ewc_core.consolidation.quadratic import Quadratic
from ewc_core.consolidation.running import decayed_sum

__all__ = [
    "Constraint",
    "ConstraintBook",
    "ConstraintStore",
    "Merging",
    "Penalty",
    "Quadratic",
    "decayed_sum",
    "merge",
    "merge_latest",
    "weights_sha256",
]
