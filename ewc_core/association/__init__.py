"""How long a readout remembers random patterns: the paper's analysis of gradient descent and EWC, and a cascade model."""

from ewc_core.association.computation import AssociationComputation

__all__ = ["AssociationComputation"]
