"""What an analysis looks at of a job that learns from data: its network, the tasks it saw, and what holds it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ewc_core.analysis.target import Sample
from ewc_core.consolidation import Penalty
from ewc_core.consolidation.stability import ExplicitStep
from ewc_core.data import TaskData
from ewc_core.errors import SpecError
from ewc_core.layers import by_layer
from ewc_core.networks import build_network
from ewc_core.params import FlatParameters
from ewc_core.seeding import generator
from ewc_core.specs import OptimiserName, PerturbationAnalysis, SupervisedSpec
from ewc_core.supervised.consolidate import constraint_book
from ewc_core.supervised.damage import DataDamage
from ewc_core.supervised.heads import HeadView
from ewc_core.supervised.task_book import TaskBook
from ewc_core.training.stored import Subject


class SupervisedTarget:
    """A `HeldTarget` with its data loaded. A sample is of training examples."""

    stored_fishers = None
    left_out = None

    def __init__(self, spec: SupervisedSpec, subject: Subject) -> None:
        """Build and load; `spec` is the subject's.

        Raises:
            SpecError: the tasks cannot be loaded (DatasetUnavailable: files are missing).
            DataChanged: their data are not what the job learned from.
            ParameterMismatch: the weights do not fit the spec's network.
        """
        self._spec, self.subject = spec, subject
        self._book = TaskBook(spec, data_dir=subject.data_dir, known_digests=subject.digests)
        for index, task in enumerate(subject.tasks):
            self._book.require(index, task)
        self.network: nn.Module = build_network(
            spec.network,
            input_shape=self._book.input_shape,
            num_outputs=self._book.heads.num_outputs,
            generator=generator(spec.seed, "network"),
        )
        self.network.eval()
        self.parameters = FlatParameters(self.network)
        self.parameters.load_flat(self.parameters.layout.join(subject.weights, dtype=self.parameters.values.dtype))
        self.layers = by_layer(self.parameters.layout.names)
        self.shared = torch.ones(self.parameters.layout.num_parameters, dtype=torch.bool)

    def select(self, task: int, *, field: str) -> None:
        """The network does every task as it is; see `Target.select`."""
        if task >= len(self.subject.tasks):
            raise SpecError(f"the job has no task {task}: it has tasks 0 to {len(self.subject.tasks) - 1}", field=field)

    def sample(self, task: int, wanted: int | None, *, seed: int, path: tuple[str | int, ...] = ()) -> Sample:
        """Training examples, all where `wanted` is None; see `Target.sample`."""
        return self.sample_of(task, self._drawn(task, wanted, seed, *path).sort().values)

    def halves(self, task: int, wanted: int | None, *, seed: int, which: str) -> tuple[Sample, Sample]:
        """Every second example of a draw; see `Target.halves`."""
        drawn = self._drawn(task, wanted, seed, which)
        if len(drawn) < 2:
            raise SpecError(f"task {task} has {len(drawn)} training examples; halves of them need 2", field="question")
        return self.sample_of(task, drawn[0::2].sort().values), self.sample_of(task, drawn[1::2].sort().values)

    def sample_of(self, task: int, indices: Tensor) -> Sample:
        """Training examples `indices` of a task, with targets as its outputs are numbered."""
        data, view = self.data(task), self.view(task)

        def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
            inputs, targets = data.read("train", indices[start:stop])
            return inputs, view.targets(targets)

        num_available, num_outputs = data.num_examples("train"), view.stop - view.start
        return Sample(task, len(indices), num_available, num_outputs, data.likelihood, read, view.select)

    def damage(self, question: PerturbationAnalysis, sample: Sample, *, seed: int) -> DataDamage:
        """Loss and score on the task's test examples."""
        return DataDamage(question, self.network, self.data(question.task), self.view(question.task))

    def data(self, task: int) -> TaskData:
        """The examples of a task."""
        return self._book.data(task)

    def view(self, task: int) -> HeadView:
        """The outputs of a task, those of all consolidated tasks competing where heads grow."""
        return self._book.view(task, seen=[task, *(constraint.task_index for constraint in self.subject.constraints)])

    def penalty(self) -> Penalty | None:
        """The penalty that the next task would meet, with every constraint in force."""
        book = constraint_book(self._spec.method, self.subject.constraints, latest_task=self._latest_task())
        book.weights.update(self.subject.constraint_weights)
        return book.penalty(self.parameters.layout, visiting=None)

    def explicit_step(self, penalty: Penalty | None) -> ExplicitStep | None:
        """Of SGD; see `HeldTarget.explicit_step`."""
        rate, momentum = self._spec.training.learning_rate, self._spec.training.momentum
        if self._spec.training.optimiser is not OptimiserName.SGD:
            return None
        return ExplicitStep.nothing(momentum=momentum) if penalty is None else penalty.explicit_step(rate, momentum=momentum)

    def _drawn(self, task: int, wanted: int | None, seed: int, *path: str | int) -> Tensor:
        order = torch.randperm(self.data(task).num_examples("train"), generator=generator(seed, "examples", *path))
        return order if wanted is None else order[:wanted]

    def _latest_task(self) -> int | None:
        """The task consolidated last is the one whose anchor the parameters still are."""
        weights = self.subject.weights
        for constraint in self.subject.constraints:
            if constraint.anchor.keys() == weights.keys() and all(
                torch.equal(anchor, weights[name]) for name, anchor in constraint.anchor.items()
            ):
                return constraint.task_index
        return None
