"""A Q-network and what trains it: target network, optimiser, penalty, and biases and gains of its own for every task."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.consolidation import Penalty
from ewc_core.errors import NonFiniteError, StateFormatError
from ewc_core.networks.q_network import QNetwork, build_q_network
from ewc_core.networks.q_passes import QPasses
from ewc_core.optimisers import make_agent_optimiser
from ewc_core.params import FlatParameters
from ewc_core.reinforcement.replay import Batch
from ewc_core.reinforcement.task_parameters import TaskParameters
from ewc_core.reinforcement.td import clip_global_norm_, double_dqn_targets, td_loss_gradient
from ewc_core.seeding import generator
from ewc_core.specs.method import PenaltyStep
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.named_state import Rest, add_prefix

_TARGET, _OPTIMISER, _TASKS, _COUNTS = "target", "optimiser.", "tasks.", "counts"


class QLearner:
    """Double DQN on minibatches of one task at a time. Owns its networks; `tasks` holds all parameters.

    One update is one step on the mean TD loss of a minibatch; every `agent.target_update_period` agent steps the target
    network becomes a copy of the online one, and also whenever another task is selected.
    """

    def __init__(
        self,
        spec: ReinforcementSpec,
        *,
        input_shape: tuple[int, ...],
        num_actions: int,
        penalty_step: PenaltyStep = PenaltyStep.PROXIMAL,
        seed: int,
    ) -> None:
        """`input_shape` is that of one stack of frames, `seed` gives the initial weights."""
        self._agent = spec.agent
        self._penalty_step = penalty_step
        self.network = _fresh(spec, input_shape, num_actions, seed)
        self.tasks = TaskParameters(self.network)
        self.parameters = self.tasks.parameters
        target_network = _fresh(spec, input_shape, num_actions, seed)
        self._target = FlatParameters(target_network)
        self._passes, self._target_passes = QPasses(self.network), QPasses(target_network)
        self._optimiser = make_agent_optimiser(spec.agent, self.parameters)
        self._penalty: Penalty | None = None
        self._step = self._optimiser.step
        self._steps_since_copy = 0
        self._copy_to_target()

    def select(self, label: int) -> None:
        """Train task `label` from now on; a task that is new starts with bias 0 and gain 1."""
        self.tasks.select(label)
        self._copy_to_target()

    def set_penalty(self, penalty: Penalty | None) -> None:
        """Train with this penalty from now on; None for none."""
        self._penalty = penalty
        self._optimiser.forget_penalty()
        if penalty is None or self._penalty_step is PenaltyStep.EXPLICIT:
            self._step = self._optimiser.step
        else:
            self._step = self._optimiser.proximal(penalty)

    def penalty(self) -> float:
        """Value of the penalty at the present parameters; 0 without one."""
        return 0.0 if self._penalty is None else self._penalty.value(self.parameters.values)

    def q_values(self, states: Tensor) -> Tensor:
        """Q-values [n, num_actions] of stacks [n, *input_shape], with the selected task's biases and gains."""
        return self._passes.values(states)

    def update(self, batch: Batch) -> float:
        """One training step; returns the mean TD loss before it. The bound on the gradient's norm is one on the data gradient:
        the penalty's is added, or its proximal step made, after it.

        Raises:
            NonFiniteError: the loss is NaN or infinite; no step was made.
        """
        targets = double_dqn_targets(
            batch.rewards,
            batch.continues,
            self._passes.values(batch.next_states),
            self._target_passes.values(batch.next_states),
            discount=self._agent.discount,
        )
        q_values, trace = self._passes.trace(batch.states)
        loss, gradient = td_loss_gradient(q_values, batch.actions, targets, td_clip=self._agent.td_clip)
        value = float(loss)
        if not -torch.inf < value < torch.inf:
            raise NonFiniteError(f"the TD loss is {value}")
        self._passes.write_gradient(trace, gradient)
        if self._agent.max_gradient_norm is not None:
            clip_global_norm_(self.parameters.gradient, self._agent.max_gradient_norm)
        if self._penalty is not None and self._penalty_step is PenaltyStep.EXPLICIT:
            self.parameters.gradient.add_(self._penalty.gradient(self.parameters.values))
        self._step()
        return value

    def count_steps(self, num_steps: int) -> None:
        """Note that so many agent steps were made; copies the online network to the target when it is time."""
        self._steps_since_copy += num_steps
        if self._steps_since_copy >= self._agent.target_update_period:
            self._copy_to_target()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next update depends on, the penalty excepted, as it is now."""
        return {
            _TARGET: self._target.values,
            _COUNTS: torch.tensor(self._steps_since_copy, dtype=torch.int64),
            **add_prefix(_OPTIMISER, self._optimiser.state()),
            **add_prefix(_TASKS, self.tasks.state()),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; the penalty is set separately, before.

        Raises:
            StateFormatError: parts are missing or unknown.
            ParameterMismatch: the parameters do not fit the network.
        """
        rest = Rest(state)
        if _TARGET not in rest or _COUNTS not in rest:
            raise StateFormatError(f"learner state holds {sorted(state)}, expected {_TARGET!r} and {_COUNTS!r} in it")
        target, count = rest.pop(_TARGET), rest.pop(_COUNTS)
        self.tasks.load_state(rest.taken(_TASKS))
        self._optimiser.load_state(rest.taken(_OPTIMISER))
        if rest:
            raise StateFormatError(f"learner state holds unknown tensors {sorted(rest)}")
        self._target.load_flat(target)
        self._steps_since_copy = int(count)

    def _copy_to_target(self) -> None:
        self._target.load_flat(self.parameters.values)
        self._steps_since_copy = 0


def _fresh(spec: ReinforcementSpec, input_shape: tuple[int, ...], num_actions: int, seed: int) -> QNetwork:
    return build_q_network(spec.network, input_shape=input_shape, num_actions=num_actions, generator=generator(seed, "network"))
