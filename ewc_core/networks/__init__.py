"""Networks that jobs can train."""

from ewc_core.networks.mlp import MLP, build_network

__all__ = ["MLP", "build_network"]
