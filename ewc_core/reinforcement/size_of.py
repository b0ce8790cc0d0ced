"""What an agents' job will take, once the frames of its games are known."""

from __future__ import annotations

import torch

from ewc_core.networks.q_network import build_q_network
from ewc_core.reinforcement.agent import Frames
from ewc_core.specs import ReinforcementSpec
from ewc_core.specs.limits import JobLimits, JobSize
from ewc_core.specs.size import reinforcement_size


def size_of(spec: ReinforcementSpec, frames: Frames, limits: JobLimits) -> JobSize:
    """The estimate of `reinforcement_size` for the network that plays games with such frames. It is not made: its parameters
    are counted without memory.

    Raises:
        SpecError: the network does not suit the frames.
    """
    with torch.device("meta"):
        network = build_q_network(
            spec.network,
            input_shape=(spec.agent.history, *frames.shape),
            num_actions=frames.num_actions,
            generator=torch.Generator("cpu"),
        )
    return reinforcement_size(
        spec,
        num_parameters=sum(parameter.numel() for parameter in network.parameters()),
        snapshots_per_job=limits.snapshots_per_job,
        snapshot_replay_bytes=limits.snapshot_replay_bytes,
    )
