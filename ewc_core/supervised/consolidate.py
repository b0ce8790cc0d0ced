"""From a network at the end of a visit to the constraint of its task, as the method has it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ewc_core.consolidation import Constraint, ConstraintBook, ConstraintStore, Merging, decayed_sum
from ewc_core.data import TaskData
from ewc_core.derived_seed import derive_seed
from ewc_core.fisher import FisherInfo, fisher_steps
from ewc_core.generators import passed_on
from ewc_core.importance import PathIntegral, memory_aware_steps
from ewc_core.params import ParameterLayout
from ewc_core.specs import (
    EwcMethod,
    FisherEstimator,
    L2Method,
    MasMethod,
    MethodSpec,
    OnlineEwcMethod,
    SiMethod,
    SupervisedSpec,
)
from ewc_core.supervised.heads import HeadView

Progress = tuple[int, int]
Steps = Generator[Progress, None, Constraint]
Tensors = dict[str, Tensor]
_SEEDED = (FisherEstimator.SAMPLED, FisherEstimator.RADEMACHER)


@dataclass(frozen=True)
class EndOfVisit:
    """What consolidation looks at: the network as it is, the task's data and outputs, and the constraint before it."""

    task_index: int
    visit_index: int
    network: nn.Module
    data: TaskData
    view: HeadView
    path: PathIntegral | None
    latest: Constraint | None

    def anchor(self) -> Tensors:
        """Copies of the parameters."""
        return {name: parameter.detach().clone() for name, parameter in self.network.named_parameters()}

    def read(self, indices: Tensor) -> Callable[[int, int], tuple[Tensor, Tensor]]:
        """Training examples `indices`, by position in it."""

        def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
            inputs, targets = self.data.read("train", indices[start:stop])
            return inputs, self.view.targets(targets)

        return read


def consolidation_steps(spec: SupervisedSpec, end: EndOfVisit) -> Generator[Progress, None, Constraint | None]:
    """Make the constraint that the spec's method wants, or None for methods without one.

    Yields (examples done, examples in all) while examples are gone through; the network is left as it was.
    """
    match spec.method:
        case EwcMethod() | OnlineEwcMethod():
            return (yield from _fisher_constraint(spec, spec.method, end))
        case L2Method():
            ones = {name: torch.ones_like(tensor) for name, tensor in end.anchor().items()}
            info = FisherInfo(estimator="uniform", likelihood="none", num_examples=0, seed=None, scale="every entry is 1")
            return Constraint(end.task_index, ones, end.anchor(), spec.method.ewc_lambda, info)
        case SiMethod():
            return _path_constraint(spec.method, end)
        case MasMethod():
            return (yield from _memory_aware_constraint(spec, spec.method, end))
        case _:
            return None


def constraint_book(
    method: MethodSpec,
    constraints: Iterable[Constraint] = (),
    *,
    latest_task: int | None = None,
    store: ConstraintStore | None = None,
) -> ConstraintBook:
    """The constraints of a job with this method, merged as the method has it."""
    match method:
        case OnlineEwcMethod() | SiMethod() | MasMethod():
            merging = Merging.RUNNING
        case EwcMethod(constraints="latest"):
            merging = Merging.LATEST
        case EwcMethod() | L2Method():
            merging = Merging.SEPARATE
        case _:
            merging = Merging.NONE
    floor = method.precision_floor if isinstance(method, EwcMethod | OnlineEwcMethod) else 0.0
    return ConstraintBook(merging, constraints, precision_floor=floor, latest_task=latest_task, store=store)


def _fisher_constraint(spec: SupervisedSpec, method: EwcMethod | OnlineEwcMethod, end: EndOfVisit) -> Steps:
    indices, subset_seed = _chosen_examples(spec, method.fisher_num_examples, end)
    label_seed = derive_seed(spec.seed, "fisher-labels", end.visit_index, end.task_index)
    steps = fisher_steps(
        end.network,
        end.read(indices),
        len(indices),
        estimator=method.fisher_estimator,
        likelihood=end.data.likelihood,
        select=end.view.select,
        seed=label_seed,
    )
    fisher = yield from passed_on(steps, lambda num_done: (num_done, len(indices)))
    if isinstance(method, OnlineEwcMethod):
        before = end.latest.fisher if end.latest is not None else None
        fisher = decayed_sum(before, fisher, fisher_decay=method.fisher_decay, normalise=method.normalise)
    seed = label_seed if method.fisher_estimator in _SEEDED else subset_seed
    info = FisherInfo(
        estimator=method.fisher_estimator.value, likelihood=end.data.likelihood.value, num_examples=len(indices), seed=seed
    )
    return Constraint(end.task_index, fisher, end.anchor(), method.ewc_lambda, info)


def _path_constraint(method: SiMethod, end: EndOfVisit) -> Constraint:
    if end.path is None:
        raise AssertionError("method 'si' was trained without a path integral")
    anchor = end.anchor()
    layout = ParameterLayout.of(end.network)
    values = layout.join(anchor, dtype=torch.float32)
    importance = layout.split(end.path.importance(values, damping=method.damping))
    info = FisherInfo(
        estimator="path_integral", likelihood="none", num_examples=0, seed=None, scale="2Ω: the penalty of SI has no 1/2"
    )
    return Constraint(end.task_index, _summed(end.latest, _doubled(importance)), anchor, method.strength, info)


def _memory_aware_constraint(spec: SupervisedSpec, method: MasMethod, end: EndOfVisit) -> Steps:
    indices, seed = _chosen_examples(spec, method.num_examples, end)
    steps = memory_aware_steps(end.network, end.read(indices), len(indices), select=end.view.select)
    importance = yield from passed_on(steps, lambda num_done: (num_done, len(indices)))
    info = FisherInfo(
        estimator="memory_aware",
        likelihood="none",
        num_examples=len(indices),
        seed=seed,
        scale="2Ω, a mean over examples: the penalty of MAS has no 1/2",
    )
    return Constraint(end.task_index, _summed(end.latest, _doubled(importance)), end.anchor(), method.strength, info)


def _doubled(importance: Mapping[str, Tensor]) -> Tensors:
    return {name: 2.0 * tensor for name, tensor in importance.items()}


def _summed(latest: Constraint | None, importance: Mapping[str, Tensor]) -> Tensors:
    return decayed_sum(latest.fisher if latest is not None else None, importance, fisher_decay=1.0, normalise=False)


def _chosen_examples(spec: SupervisedSpec, wanted: int | None, end: EndOfVisit) -> tuple[Tensor, int | None]:
    """Indices of the training examples to use, and the seed that drew them (None: all of them)."""
    available = end.data.num_examples("train")
    if wanted is None or wanted >= available:
        return torch.arange(available), None
    seed = derive_seed(spec.seed, "fisher", end.visit_index, end.task_index)
    order = torch.randperm(available, generator=torch.Generator().manual_seed(seed))
    return order[:wanted].sort().values, seed
