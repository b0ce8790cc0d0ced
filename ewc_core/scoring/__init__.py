"""Measuring scores: what each is made of, and how sure it is. What they are is in `ewc_core.metrics`, which loads no torch."""

from ewc_core.scoring.bootstrap import interval_of, measured
from ewc_core.scoring.terms import Terms

__all__ = ["Terms", "interval_of", "measured"]
