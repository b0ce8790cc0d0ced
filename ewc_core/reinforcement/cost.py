"""What a reinforcement-learning job will take, before it is started: frames, days and memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ewc_core.networks.q_network import build_q_network
from ewc_core.reinforcement.agent import Frames
from ewc_core.reinforcement.games import frames_of
from ewc_core.seeding import generator
from ewc_core.specs.agent import replay_bytes
from ewc_core.specs.environments import AtariTask
from ewc_core.specs.method import NaiveMethod
from ewc_core.specs.reinforcement import ReinforcementSpec

_FLOAT_BYTES = 4
_SECONDS_PER_DAY = 86_400
_VECTORS_PER_NETWORK = 6
"""Online and target network, gradient, two moments and the divisor of the optimiser."""
_VECTORS_PER_PENALTY = 4
"""Precision, centre, and what the proximal step keeps of both."""
_UNCONSTRAINED = ("naive", "independent")


@dataclass(frozen=True)
class CostEstimate:
    """Of a job with `num_agents` kinds of agents (the method and its controls), all of which play the whole schedule.

    `num_frames` are frames of training of one agent (agent steps times the action repeat), `num_updates` its updates.
    `days` is the time of training of all agents; `max_evaluation_days` comes on top if every episode of every evaluation
    lasts as long as it may, at the same speed. Bytes are those at the end of the job, of all agents together: replays as
    files, `num_constraints` Fishers and anchors, and the networks with their optimisers.
    """

    num_agents: int
    num_frames: int
    num_updates: int
    days: float
    max_evaluation_days: float
    num_parameters: int
    num_constraints: int
    replay_bytes: int
    fisher_bytes: int
    anchor_bytes: int
    network_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of them."""
        return self.replay_bytes + self.fisher_bytes + self.anchor_bytes + self.network_bytes


def estimate_cost(spec: ReinforcementSpec, *, frames_per_second: float) -> CostEstimate:
    """What a job takes on a machine where one agent plays and learns at `frames_per_second`, as measured there.

    The scheduled visits count, not those that may be announced later; every task counts as recognised as one. Opens every
    environment once.

    Raises:
        SpecError: an environment is unavailable, or the network does not fit the frames.
    """
    frames = frames_of(spec.tasks)
    repeats = [task.action_repeat if isinstance(task, AtariTask) else 1 for task in spec.tasks]
    steps: Counter[int] = Counter()
    for segment in spec.segments:
        steps[segment.task] += segment.num_steps
    num_frames = sum(count * repeats[task] for task, count in steps.items())
    num_agents, num_tasks = len(spec.methods), len(spec.tasks)
    num_networks = num_agents + (num_tasks - 1 if "independent" in spec.methods else 0)
    num_parameters = _num_parameters(spec, frames)
    constrained = 0 if isinstance(spec.method, NaiveMethod) else sum(kind not in _UNCONSTRAINED for kind in spec.methods)
    num_constraints = constrained * _num_consolidated(spec, steps, frames.action_repeat)
    vector = _FLOAT_BYTES * num_parameters
    per_second = num_agents / frames_per_second / _SECONDS_PER_DAY
    return CostEstimate(
        num_agents=num_agents,
        num_frames=num_frames,
        num_updates=steps.total() // spec.agent.replay_period,
        days=num_frames * per_second,
        max_evaluation_days=_max_evaluation_frames(spec, repeats) * per_second,
        num_parameters=num_parameters,
        num_constraints=num_constraints,
        replay_bytes=num_agents * len(steps) * replay_bytes(spec.agent, frame_bytes=_frame_bytes(frames)),
        fisher_bytes=num_constraints * vector,
        anchor_bytes=num_constraints * vector,
        network_bytes=(num_networks * _VECTORS_PER_NETWORK + constrained * _VECTORS_PER_PENALTY) * vector,
    )


def _num_parameters(spec: ReinforcementSpec, frames: Frames) -> int:
    """Of one network with the biases and gains of one task."""
    network = build_q_network(
        spec.network,
        input_shape=(spec.agent.history, *frames.shape),
        num_actions=frames.num_actions,
        generator=generator(spec.seed, "network"),
    )
    return sum(parameter.numel() for parameter in network.parameters())


def _num_consolidated(spec: ReinforcementSpec, steps: Counter[int], action_repeat: int) -> int:
    """Tasks that are played for long enough to be consolidated."""
    if isinstance(spec.method, NaiveMethod):
        return 0
    return sum(count * action_repeat >= max(1, spec.method.ewc_start_frames) for count in steps.values())


def _max_evaluation_frames(spec: ReinforcementSpec, repeats: list[int]) -> int:
    """Frames of all evaluations of one agent, if no episode ends early."""
    evaluation = spec.evaluation
    episodes = evaluation.num_episodes * len(evaluation.exploration_epsilons)
    seen: set[int] = set()
    total = 0
    for segment in spec.segments:
        seen.add(segment.task)
        played = repeats if evaluation.tasks == "all" else [repeats[task] for task in seen]
        total += episodes * evaluation.max_steps * sum(played)
    return total


def _frame_bytes(frames: Frames) -> int:
    size = frames.dtype.itemsize
    for length in frames.shape:
        size *= length
    return size
