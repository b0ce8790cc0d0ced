"""Constraints on what has been learned, merged into one quadratic penalty."""

from ewc_core.consolidation.book import ConstraintBook, Merging
from ewc_core.consolidation.constraint import Constraint, weights_sha256
from ewc_core.consolidation.merge import Quadratic, merge, merge_latest
from ewc_core.consolidation.running import decayed_sum

__all__ = ["Constraint", "ConstraintBook", "Merging", "Quadratic", "decayed_sum", "merge", "merge_latest", "weights_sha256"]
