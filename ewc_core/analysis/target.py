"""What an analysis looks at: a learned network and the tasks that it does, on data or in games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from ewc_core.analysis.perturbation import NoiseKind
from ewc_core.analysis.perturbation_findings import Row
from ewc_core.consolidation import Penalty
from ewc_core.consolidation.stability import ExplicitStep
from ewc_core.params import FlatParameters
from ewc_core.specs import LikelihoodName, PerturbationAnalysis
from ewc_core.training.stored import Subject

Deviations = Callable[[NoiseKind, float], Tensor]
"""Standard deviations [num_parameters] of noise of a shape at a σ."""


@dataclass(frozen=True)
class Sample:
    """Examples of a task that a Fisher is a mean over: `size` of the `num_available` that the task has.

    `read(start, stop)` gives inputs and targets by position in the sample; `select` takes the task's `num_outputs` from all
    outputs of the network, None where it has them all.
    """

    task: int
    size: int
    num_available: int
    num_outputs: int
    likelihood: LikelihoodName
    read: Callable[[int, int], tuple[Tensor, Tensor]]
    select: Callable[[Tensor], Tensor] | None = None


class Damage(Protocol):
    """What noise does to one task, measured in units of work: `num_before` of them without any noise, then one for each draw,
    and `num_after` that draw noise of their own."""

    num_before: int
    num_after: int
    tensors: Mapping[str, Tensor]
    """All that was measured besides the losses: the tensors themselves, not copies."""
    base_loss: float
    """The loss without noise, once it is known."""
    curves: Mapping[str, str]
    """The names of curves by the fields that `row` adds."""

    def before(self, step: int) -> None:
        """Unit `step` of those without noise."""

    def loss(self, which: int, index: int, draw: int) -> float:
        """The loss at the parameters as they are: under a draw of shape number `which` at σ number `index`."""

    def after(self, step: int, deviations: Deviations) -> None:
        """Unit `step` of those that draw noise of their own."""

    def row(self, which: int, index: int) -> Row:
        """What is said of one shape at one σ: `mean_score`, and what there is beside it."""

    def body(self) -> Row:
        """What is said of the task without noise: `loss`, `score`, and what there is beside them."""


class Target(Protocol):
    """A subject with its network built, in eval mode and changed by nothing but `select` and who puts it back.

    Made from the spec and the subject. Raises SpecError: the tasks are unavailable; DataChanged: the data are not what the job
    learned from; ParameterMismatch: the weights do not fit the spec's network.
    """

    subject: Subject
    network: nn.Module
    parameters: FlatParameters
    layers: Mapping[str, list[str]]
    """The parameters that all tasks share, by layer."""
    shared: Tensor
    """Which parameters these are: bool [num_parameters]. Noise is on them alone."""
    left_out: str | None
    """Which parameters they are not, in words."""

    @property
    def stored_fishers(self) -> Mapping[int, Mapping[str, Tensor]] | None:
        """The constraints' Fishers by task, where they are of other examples than a sample has."""

    def select(self, task: int, *, field: str) -> None:
        """Let the network do a task, without any noise; `field` is where the question names it.

        Raises:
            SpecError: there is no such task.
        """

    def sample(self, task: int, wanted: int | None, *, seed: int, path: tuple[str | int, ...] = ()) -> Sample:
        """`wanted` examples (None: as many as are usual) of the task selected; `path` names the draw."""

    def halves(self, task: int, wanted: int | None, *, seed: int, which: str) -> tuple[Sample, Sample]:
        """As many in two halves that have nothing in common. Raises SpecError: there are fewer than 2."""

    def damage(self, question: PerturbationAnalysis, sample: Sample, *, seed: int) -> Damage:
        """What noise does to the task selected, of which the Fisher is a mean over `sample`."""


@runtime_checkable
class HeldTarget(Target, Protocol):
    """A target whose frozen share can be measured."""

    def penalty(self) -> Penalty | None:
        """The penalty that the next task would meet, with every constraint in force."""

    def explicit_step(self, penalty: Penalty | None) -> ExplicitStep | None:
        """How near an explicit step is to its limit; None for optimisers without a known one."""
