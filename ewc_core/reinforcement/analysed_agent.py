"""An agent as an analysis finds it: its Q-network and the games that it plays."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.networks.q_network import QNetwork, build_q_network, shared_names
from ewc_core.params import FlatParameters
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.games import frames_of
from ewc_core.seeding import generator
from ewc_core.specs import ReinforcementSpec
from ewc_core.specs.environments import AtariTask, GymnasiumTask
from ewc_core.training.stored import Subject

_WEIGHT = ".weight.weight"


class AnalysedAgent:
    """`network` plays the task selected last. `shared` are the weights that all tasks share: a task's biases and gains are
    touched by no other task. Those of a task that was not played are 0 and 1."""

    def __init__(self, spec: ReinforcementSpec, subject: Subject) -> None:
        """Build the network, opening every game once; `spec` is the subject's.

        Raises:
            SpecError: an environment is unavailable.
            ParameterMismatch: the weights do not fit the spec's network.
        """
        self.subject, self.evaluation = subject, spec.evaluation
        self.tasks = [task for task in subject.tasks if isinstance(task, AtariTask | GymnasiumTask)]
        self.frames = frames_of(self.tasks)
        self.history = spec.agent.history
        self.network: QNetwork = build_q_network(
            spec.network,
            input_shape=(self.history, *self.frames.shape),
            num_actions=self.frames.num_actions,
            generator=generator(spec.seed, "network"),
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
        self._own: dict[int, Tensor] = {}

    def select(self, task: int, *, field: str) -> None:
        """Let the network play a task, without any noise; `field` is where the question names it.

        Raises:
            SpecError: there is no such task.
        """
        if task >= len(self.tasks):
            raise SpecError(f"the job has no task {task}: it has tasks 0 to {len(self.tasks) - 1}", field=field)
        if task not in self._own:
            stored = self.subject.own(task)
            self._own[task] = self._fresh if stored is None else self.parameters.layout.join(stored, dtype=torch.float32)
        own = self._own[task]
        self.parameters.values.copy_(torch.where(self.shared, self._weights, own))

    def environments(self, task: int, *, num_envs: int, seed: int) -> EnvironmentGroup:
        """Copies of a task's game, as evaluations play it."""
        return make_environments(
            self.tasks[task], num_envs=num_envs, seed=seed, num_actions=self.frames.num_actions, for_training=False
        )

    @torch.no_grad()
    def q_values(self, states: Tensor) -> Tensor:
        """Q-values [n, num_actions] of stacks [n, history, *frame_shape], at the parameters as they are."""
        values: Tensor = self.network(states)
        return values
