"""The Fisher engine and the loss, as the loop uses them."""

from ewc_core.fisher import fisher_steps
from ewc_core.likelihoods import mean_loss

__all__ = ["fisher_steps", "mean_loss"]
