"""Constraints on what has been learned, merged into one quadratic penalty."""

from ewc_core.consolidation.constraint import Constraint, weights_sha256
from ewc_core.consolidation.merge import Quadratic, merge

__all__ = ["Constraint", "Quadratic", "merge", "weights_sha256"]
