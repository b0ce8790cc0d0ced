"""One network and the method that trains it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ewc_core.consolidation.merge import Quadratic
from ewc_core.consolidation.penalty import penalty_value, write_penalty_gradient
from ewc_core.errors import NonFiniteError, StateFormatError
from ewc_core.params import FlatParameters
from ewc_core.specs import PenaltyStep, TrainingSpec
from ewc_core.supervised.optimiser import Step, make_optimiser

_PARAMETERS = "parameters"
_OPTIMISER = "optimiser."


class Learner:
    """Trains one network on minibatches, with or without a quadratic penalty. Owns and mutates the network."""

    def __init__(self, network: nn.Module, training: TrainingSpec, *, penalty_step: PenaltyStep) -> None:
        self.network = network
        self.parameters = FlatParameters(network)
        self._training = training
        self._penalty_step = penalty_step
        self._optimiser = make_optimiser(training, self.parameters)
        self._quadratic: Quadratic | None = None
        self._step: Step = self._optimiser.step

    def start_visit(self) -> None:
        """Forget the optimiser's state and the penalty."""
        self._optimiser = make_optimiser(self._training, self.parameters)
        self.set_penalty(None)

    def set_penalty(self, quadratic: Quadratic | None) -> None:
        """Train with this penalty from now on; None for none."""
        explicit = self._penalty_step is PenaltyStep.EXPLICIT
        self._quadratic = quadratic
        self._step = self._optimiser.step if quadratic is None or explicit else self._optimiser.proximal(quadratic)

    def penalty(self) -> float:
        """Value of the penalty at the present parameters; 0 without one."""
        return 0.0 if self._quadratic is None else penalty_value(self._quadratic, self.parameters.values)

    def step(self, inputs: Tensor, labels: Tensor) -> float:
        """One training step on inputs [n, ...] and labels [n]; returns the loss before it.

        The loss is the mean cross-entropy over the minibatch, penalty excluded. Explicit: the penalty's gradient joins
        the data gradient. Proximal: the implicit penalty step follows the data step.

        Raises:
            NonFiniteError: the loss is NaN or infinite; no step was made.
        """
        if self._quadratic is not None and self._penalty_step is PenaltyStep.EXPLICIT:
            write_penalty_gradient(self.parameters.gradient, self._quadratic, self.parameters.values)
        else:
            self.parameters.gradient.zero_()
        loss = functional.cross_entropy(self.network(inputs), labels)
        value = float(loss.detach())
        if not -torch.inf < value < torch.inf:
            raise NonFiniteError(f"the loss is {value}")
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        self._step()
        return value

    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return bool(torch.isfinite(self.parameters.values).all())

    def state(self, *, with_optimiser: bool) -> dict[str, Tensor]:
        """Copies of the parameters and, on request, of the optimiser's state."""
        state = {_PARAMETERS: self.parameters.values.clone()}
        if with_optimiser:
            state |= {_OPTIMISER + name: tensor for name, tensor in self._optimiser.state().items()}
        return state

    def load_state(self, state: Mapping[str, Tensor], *, with_optimiser: bool) -> None:
        """Go on from what `state` gave; the penalty is set separately.

        Raises:
            StateFormatError: parts are missing or unknown.
            ParameterMismatch: the parameters do not fit the network.
        """
        if _PARAMETERS not in state:
            raise StateFormatError(f"learner state holds {sorted(state)}, expected {_PARAMETERS!r} in it")
        self.parameters.load_flat(state[_PARAMETERS])
        optimiser = {name.removeprefix(_OPTIMISER): tensor for name, tensor in state.items() if name != _PARAMETERS}
        if with_optimiser:
            self._optimiser.load_state(optimiser)
        elif optimiser:
            raise StateFormatError(f"learner state at a visit boundary holds {sorted(optimiser)}, expected parameters only")
