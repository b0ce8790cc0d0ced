"""The Fisher diagonal, per example."""

from ewc_core.fisher.info import FisherInfo
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES
from ewc_core.fisher.reference import reference_fisher
from ewc_core.fisher.steps import exact_fisher, fisher, fisher_steps

__all__ = ["DEFAULT_CHUNK_BYTES", "FisherInfo", "exact_fisher", "fisher", "fisher_steps", "reference_fisher"]
