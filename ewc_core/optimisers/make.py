"""Which optimiser a spec asks for."""

from __future__ import annotations

from ewc_core.errors import SpecError
from ewc_core.optimisers.adam import Adam
from ewc_core.optimisers.centred_rms_prop import CentredRMSProp
from ewc_core.optimisers.optimiser import Optimiser
from ewc_core.optimisers.rms_prop import RMSProp
from ewc_core.optimisers.sgd import SGD
from ewc_core.params import FlatParameters
from ewc_core.specs import OptimiserName, TrainingSpec
from ewc_core.specs.agent import AgentSpec


def make_optimiser(spec: TrainingSpec, parameters: FlatParameters) -> Optimiser:
    """A fresh optimiser of a network that learns from data."""
    if spec.optimiser is OptimiserName.ADAM:
        return Adam(parameters, learning_rate=spec.learning_rate)
    if spec.optimiser is OptimiserName.RMSPROP:
        return RMSProp(parameters, learning_rate=spec.learning_rate)
    return SGD(parameters, learning_rate=spec.learning_rate, momentum=spec.momentum)


def make_agent_optimiser(spec: AgentSpec, parameters: FlatParameters) -> Optimiser:
    """A fresh optimiser of an agent.

    Raises:
        SpecError: the constants of `rmsprop_centred` are missing.
    """
    if spec.optimiser == "adam":
        return Adam(parameters, learning_rate=spec.learning_rate)
    if spec.rms_decay is None or spec.rms_eps is None:
        raise SpecError("optimiser 'rmsprop_centred' needs rms_decay and rms_eps", field="agent")
    return CentredRMSProp(parameters, learning_rate=spec.learning_rate, decay=spec.rms_decay, eps=spec.rms_eps)
