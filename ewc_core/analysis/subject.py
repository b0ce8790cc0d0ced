"""What an analysis looks at: a learned network, the tasks it saw, and what holds it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ewc_core.consolidation import Penalty
from ewc_core.data import TaskData
from ewc_core.errors import SpecError
from ewc_core.networks import build_network
from ewc_core.params import FlatParameters
from ewc_core.seeding import generator
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised.consolidate import constraint_book
from ewc_core.supervised.heads import HeadView
from ewc_core.supervised.task_book import TaskBook
from ewc_core.training.stored import Subject


class OpenedSubject:
    """A subject with its network built and its data loaded. The network is in eval mode and changed by no method here."""

    def __init__(self, spec: SupervisedSpec, subject: Subject) -> None:
        """Build and load; `spec` is the subject's.

        Raises:
            SpecError: the tasks cannot be loaded (DatasetUnavailable: files are missing).
            DataChanged: their data are not what the job learned from.
            ParameterMismatch: the weights do not fit the spec's network.
        """
        self.spec, self.subject = spec, subject
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

    def data(self, task: int, *, field: str) -> TaskData:
        """The examples of a task; `field` is where the question names it.

        Raises:
            SpecError: there is no such task.
        """
        if task >= len(self.subject.tasks):
            raise SpecError(f"the job has no task {task}: it has tasks 0 to {len(self.subject.tasks) - 1}", field=field)
        return self._book.data(task)

    def view(self, task: int) -> HeadView:
        """The outputs of a task, those of all consolidated tasks competing where heads grow."""
        return self._book.view(task, seen=[task, *(constraint.task_index for constraint in self.subject.constraints)])

    def penalty(self) -> Penalty | None:
        """The penalty that the next task would meet, with every constraint in force."""
        book = constraint_book(self.spec.method, self.subject.constraints, latest_task=self._latest_task())
        book.weights.update(self.subject.constraint_weights)
        return book.penalty(self.parameters.layout, visiting=None)

    def _latest_task(self) -> int | None:
        """The task consolidated last is the one whose anchor the parameters still are."""
        weights = self.subject.weights
        for constraint in self.subject.constraints:
            if constraint.anchor.keys() == weights.keys() and all(
                torch.equal(anchor, weights[name]) for name, anchor in constraint.anchor.items()
            ):
                return constraint.task_index
        return None

    def reader(self, task: int, data: TaskData, indices: Tensor) -> Callable[[int, int], tuple[Tensor, Tensor]]:
        """Training examples `indices` of a task, by position in it, with targets as its outputs are numbered."""
        view = self.view(task)

        def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
            inputs, targets = data.read("train", indices[start:stop])
            return inputs, view.targets(targets)

        return read


def chosen_examples(data: TaskData, wanted: int | None, seed: int, *path: str | int) -> Tensor:
    """Indices of `wanted` training examples (None: all) in an order drawn by the path."""
    order = torch.randperm(data.num_examples("train"), generator=generator(seed, *path))
    return order if wanted is None else order[:wanted]
