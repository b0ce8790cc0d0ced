"""One network and the method that trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ewc_core.blocks import all_finite
from ewc_core.consolidation import Penalty
from ewc_core.errors import NonFiniteError, StateFormatError
from ewc_core.fisher.memory import examples_at_once
from ewc_core.importance import PathIntegral
from ewc_core.likelihoods import mean_loss
from ewc_core.optimisers import Optimiser, Step, make_optimiser
from ewc_core.params import FlatParameters
from ewc_core.specs import LikelihoodName, PenaltyStep, TrainingSpec
from ewc_core.training.named_state import Rest, add_prefix

Measure = Callable[[Callable[[], float | None]], float | None]
_MOST = 2**16
_PARAMETERS = "parameters"
_OPTIMISER = "optimiser."
_PATH = "path."


@dataclass(frozen=True)
class Segment:
    """Examples of one task: inputs [n, ...], targets, and the choice of outputs that the task uses (None: all)."""

    inputs: Tensor
    targets: Tensor
    select: Callable[[Tensor], Tensor] | None = None


def _no_step() -> None:
    raise AssertionError("a step was asked for after the last one of a visit")


class Learner:
    """Trains one network on minibatches, with or without a penalty. Owns and mutates the network."""

    def __init__(
        self,
        network: nn.Module,
        training: TrainingSpec,
        *,
        penalty_step: PenaltyStep,
        likelihood: LikelihoodName = LikelihoodName.CATEGORICAL,
        follows_path: bool = False,
    ) -> None:
        """With `follows_path` the path integral of Synaptic Intelligence is taken along the steps of each visit."""
        self.network = network
        self.parameters = FlatParameters(network)
        self._training = training
        self._penalty_step = penalty_step
        self._likelihood = likelihood
        self._follows_path = follows_path
        self._optimiser: Optimiser | None = make_optimiser(training, self.parameters)
        self._penalty: Penalty | None = None
        self._explicit: Penalty | None = None
        self._step: Step = self._optimiser.step
        self._at_once: dict[tuple[int, ...], int] = {}
        self.path: PathIntegral | None = None
        self.penalty_share: float | None = None
        """‖P(θ − m)‖ / ‖g‖ before the last measured step: how hard the penalty pulls beside the data; None without one,
        and where neither pulls."""

    def start_visit(self) -> None:
        """Forget the optimiser's state and the penalty; a path integral starts here."""
        self.end_steps()
        self.parameters.make_gradient()
        self._optimiser = self._current_optimiser()
        self.path = PathIntegral(self.parameters.values) if self._follows_path else None
        self.set_penalty(None)

    def set_penalty(self, penalty: Penalty | None) -> None:
        """Train with this penalty from now on; None for none."""
        self._penalty = penalty
        self._explicit = penalty if self._penalty_step is PenaltyStep.EXPLICIT else None
        if penalty is None or self._explicit is not None:
            self._step = self._current_optimiser().step
        else:
            self._step = self._current_optimiser().proximal(penalty)

    def end_steps(self) -> None:
        """No step follows in this visit: give back the memory of the gradient, the optimiser and the penalty. The state is then
        that of an optimiser that has made no step, which is as good where none follows."""
        self._penalty = self._explicit = self._optimiser = None
        self.parameters.free_gradient()
        self._step = _no_step

    def set_learning_rate(self, rate: float) -> None:
        """Step at this rate from now on, the penalty's proximal step included."""
        self._current_optimiser().learning_rate = rate

    def penalty(self) -> float:
        """Value of the penalty at the present parameters; 0 without one."""
        return 0.0 if self._penalty is None else self._penalty.value(self.parameters.values)

    def step(self, segments: Sequence[Segment], *, measure: Measure | None = None) -> float:
        """One training step; returns the loss before it. Also sets `penalty_share` to what `measure` makes of its measurement.

        The loss is −(1/N) Σ log p(target | outputs) over the N examples of all segments, up to a constant, penalty
        excluded. Explicit: the penalty's gradient joins the data gradient. Proximal: the implicit penalty step follows
        the data step.

        Raises:
            NonFiniteError: the loss is NaN or infinite; no step was made.
        """
        if self._explicit is not None:
            self._explicit.write_gradient(self.parameters.gradient, self.parameters.values)
        else:
            self.parameters.gradient.zero_()
        value, num_examples = 0.0, sum(len(segment.inputs) for segment in segments)
        for group in self._groups(segments):
            loss = self._loss(group, num_examples)
            value += float(loss.detach())
            if not -torch.inf < value < torch.inf:
                raise NonFiniteError(f"the loss is {value}")
            loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        if measure is not None:
            self.penalty_share = measure(self._share)
        if self.path is None:
            self._step()
        else:
            before, gradient = self.parameters.values.clone(), self._data_gradient()
            self._step()
            self.path.add(gradient, self.parameters.values - before)
        return value

    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return all_finite(self.parameters.values)

    def state(self, *, in_visit: bool) -> dict[str, Tensor]:
        """The parameters and, within a visit, everything else that the next step depends on, as they are now."""
        state = {_PARAMETERS: self.parameters.values}
        if in_visit:
            state |= add_prefix(_OPTIMISER, self._current_optimiser().state())
            if self.path is not None:
                state |= add_prefix(_PATH, self.path.state())
        return state

    def load_state(self, state: Mapping[str, Tensor], *, in_visit: bool) -> None:
        """Go on from a copy of what `state` gave; the penalty is set separately.

        Raises:
            StateFormatError: parts are missing or unknown.
            ParameterMismatch: the parameters do not fit the network.
        """
        if _PARAMETERS not in state:
            raise StateFormatError(f"learner state holds {sorted(state)}, expected {_PARAMETERS!r} in it")
        rest = Rest(state)
        self.parameters.load_flat(rest.pop(_PARAMETERS))
        if not in_visit:
            if rest:
                raise StateFormatError(f"learner state at a visit boundary holds {sorted(rest)}, expected parameters only")
            return
        path = rest.taken(_PATH)
        self._optimiser = self._current_optimiser()
        self._optimiser.load_state(rest.taken(_OPTIMISER))
        if rest:
            raise StateFormatError(f"learner state holds unknown tensors {sorted(rest)}")
        if self._follows_path:
            self.path = PathIntegral(self.parameters.values)
            self.path.load_state(path)
        elif path:
            raise StateFormatError(f"learner state holds {sorted(path)} of a path integral, which this method does not take")

    def _current_optimiser(self) -> Optimiser:
        """The optimiser; one that has made no step where the steps of a visit have ended."""
        return make_optimiser(self._training, self.parameters) if self._optimiser is None else self._optimiser

    def _share(self) -> float | None:
        if self._penalty is None:
            return None
        data = float(self._data_gradient().norm())
        pull = self._penalty.gradient_norm(self.parameters.values)
        if data > 0.0:
            return pull / data
        return torch.inf if pull > 0.0 else None

    def _data_gradient(self) -> Tensor:
        """The gradient of the data loss alone; between a backward pass and its step."""
        if self._explicit is None:
            return self.parameters.gradient
        return self.parameters.gradient - self._explicit.gradient(self.parameters.values)

    def _groups(self, segments: Sequence[Segment]) -> list[list[Segment]]:
        """The segments that go through the network together: joint training has as many as there are tasks, and its memory
        is not to grow with them."""
        if len(segments) == 1:
            return [list(segments)]
        inputs = segments[0].inputs
        if (size := self._at_once.get(tuple(inputs.shape[1:]))) is None:
            size = self._at_once[tuple(inputs.shape[1:])] = examples_at_once(self.network, inputs[:3], most=_MOST)
        groups: list[list[Segment]] = [[]]
        together = 0
        for segment in segments:
            if groups[-1] and together + len(segment.inputs) > size:
                groups.append([])
                together = 0
            groups[-1].append(segment)
            together += len(segment.inputs)
        return groups

    def _loss(self, segments: Sequence[Segment], num_examples: int) -> Tensor:
        """What some of the segments add to the mean loss over `num_examples` examples in all."""
        if len(segments[0].inputs) == num_examples:
            (only,) = segments
            outputs = self.network(only.inputs)
            return mean_loss(self._likelihood, outputs if only.select is None else only.select(outputs), only.targets)
        outputs = self.network(torch.cat([segment.inputs for segment in segments]))
        total, start = torch.zeros((), dtype=outputs.dtype), 0
        for segment in segments:
            part = outputs[start : start + len(segment.inputs)]
            start += len(segment.inputs)
            part = part if segment.select is None else segment.select(part)
            total = total + mean_loss(self._likelihood, part, segment.targets) * (len(segment.inputs) / num_examples)
        return total
