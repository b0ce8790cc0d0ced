"""Networks that jobs can train."""

from ewc_core.networks.build import build_network
from ewc_core.networks.conv import ConvNet
from ewc_core.networks.dropout import DropoutRates, SeededDropout, reseed_dropout
from ewc_core.networks.mlp import MLP

__all__ = ["MLP", "ConvNet", "DropoutRates", "SeededDropout", "build_network", "reseed_dropout"]
