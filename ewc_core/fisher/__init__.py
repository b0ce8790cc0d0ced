"""The Fisher diagonal, exact and per example."""

from ewc_core.fisher.exact import exact_fisher, exact_fisher_steps
from ewc_core.fisher.info import FisherInfo
from ewc_core.fisher.reference import reference_fisher

__all__ = ["FisherInfo", "exact_fisher", "exact_fisher_steps", "reference_fisher"]
