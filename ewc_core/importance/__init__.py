"""Importances of the neighbours of EWC: what else can hold a parameter in place of the Fisher."""

from ewc_core.importance.memory_aware import memory_aware_steps
from ewc_core.importance.synaptic_intelligence import PathIntegral

__all__ = ["PathIntegral", "memory_aware_steps"]
