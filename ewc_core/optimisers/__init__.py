"""Optimisers on the flat parameters, each with a proximal step whose fixed point is g + P(θ − m) = 0.

The penalty never enters an optimiser's moments when it is proximal: they are built from the data gradient alone.
"""

from ewc_core.optimisers.make import make_agent_optimiser, make_optimiser
from ewc_core.optimisers.optimiser import Optimiser, Step

__all__ = ["Optimiser", "Step", "make_agent_optimiser", "make_optimiser"]
