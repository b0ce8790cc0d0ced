"""How long a readout remembers random patterns: the paper's analysis of gradient descent and EWC, and a cascade model."""

from ewc_core.association.run import AssociationRun

__all__ = ["AssociationRun"]
