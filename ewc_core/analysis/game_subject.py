"""What an analysis of an agent looks at: its Q-network, the games it plays, and what holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.consolidation import Constraint
from ewc_core.errors import SpecError
from ewc_core.networks.q_network import QNetwork, build_q_network, shared_names
from ewc_core.params import FlatParameters
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.games import frames_of
from ewc_core.seeding import generator
from ewc_core.specs import ReinforcementSpec
from ewc_core.specs.environments import EnvironmentSpec

_WEIGHT = ".weight.weight"


@dataclass(frozen=True)
class GameSubject:
    """A reinforcement job as its record stands: `tasks` by index, a constraint per consolidated task, and the parameters
    after the visit in question. Of `weights` the shared ones count; `own` are a task's parameters after its last visit until
    then, of which its biases and gains count. A task that is not there was not played: its biases are 0, its gains 1.
    """

    spec: ReinforcementSpec
    tasks: Sequence[EnvironmentSpec]
    constraints: Sequence[Constraint]
    weights: Mapping[str, Tensor]
    own: Mapping[int, Mapping[str, Tensor]]


class OpenedGames:
    """A subject with its network built. `network` plays the task selected last; noise and Fishers are about `shared`, the
    weights that all tasks share: a task's biases and gains are touched by no other task."""

    def __init__(self, subject: GameSubject) -> None:
        """Build the network, opening every game once.

        Raises:
            SpecError: an environment is unavailable.
            ParameterMismatch: the weights do not fit the spec's network.
        """
        self.subject = subject
        self.frames = frames_of(subject.tasks)
        self.history = subject.spec.agent.history
        self.network: QNetwork = build_q_network(
            subject.spec.network,
            input_shape=(self.history, *self.frames.shape),
            num_actions=self.frames.num_actions,
            generator=generator(subject.spec.seed, "network"),
        )
        self.network.eval()
        self.parameters = FlatParameters(self.network)
        shared = shared_names(self.network)
        layout = self.parameters.layout
        self.layers = {name.removesuffix(_WEIGHT): [name] for name in shared}
        views = layout.split(self.parameters.values)
        self.shared = torch.cat([torch.full((view.numel(),), name in shared) for name, view in views.items()])
        self._fresh = self.parameters.values.clone()
        self._weights = layout.join(subject.weights, dtype=torch.float32)
        self._own = {task: layout.join(own, dtype=torch.float32) for task, own in subject.own.items()}

    def select(self, task: int, *, field: str) -> None:
        """Let the network play a task, without any noise; `field` is where the question names it.

        Raises:
            SpecError: there is no such task.
        """
        if task >= len(self.subject.tasks):
            raise SpecError(f"the job has no task {task}: it has tasks 0 to {len(self.subject.tasks) - 1}", field=field)
        own = self._own.get(task, self._fresh)
        self.parameters.values.copy_(torch.where(self.shared, self._weights, own))

    def environments(self, task: int, *, num_envs: int, seed: int) -> EnvironmentGroup:
        """Copies of a task's game, as evaluations play it."""
        return make_environments(
            self.subject.tasks[task], num_envs=num_envs, seed=seed, num_actions=self.frames.num_actions, for_training=False
        )

    @torch.no_grad()
    def q_values(self, states: Tensor) -> Tensor:
        """Q-values [n, num_actions] of stacks [n, history, *frame_shape], at the parameters as they are."""
        values: Tensor = self.network(states)
        return values
