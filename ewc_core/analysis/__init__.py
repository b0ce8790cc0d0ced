"""What a network has learned and how much room is left: pure functions, and the computations that measure them."""

from ewc_core.analysis.computation import AnalysisComputation

__all__ = ["AnalysisComputation"]
