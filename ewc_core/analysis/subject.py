"""What an analysis looks at: a learned network, the tasks it saw, and what holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ewc_core.consolidation import Constraint, Quadratic
from ewc_core.data import TaskData
from ewc_core.errors import SpecError
from ewc_core.networks import build_network
from ewc_core.params import FlatParameters
from ewc_core.seeding import generator
from ewc_core.specs import SupervisedSpec, TaskSpec
from ewc_core.supervised.constraint_book import ConstraintBook
from ewc_core.supervised.heads import HeadView
from ewc_core.supervised.task_book import TaskBook


@dataclass(frozen=True)
class AnalysisSubject:
    """A job as its record stands: `tasks` by index (those of the spec and those announced since), one constraint per
    consolidated task, and the network's parameters `weights` after the visit in question.

    `constraint_weights` are those of re-weighted and forgotten tasks, by task index; `digests`, by name, those of the data
    that the job learned from.
    """

    spec: SupervisedSpec
    tasks: Sequence[TaskSpec]
    constraints: Sequence[Constraint]
    weights: Mapping[str, Tensor]
    data_dir: Path | None
    constraint_weights: Mapping[int, float] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def quadratic(self, parameters: FlatParameters) -> Quadratic | None:
        """The penalty that the next task would meet, with every constraint in force."""
        book = ConstraintBook(self.spec.method, self.constraints, latest_task=self._latest_task())
        book.weights.update(self.constraint_weights)
        return book.quadratic(parameters.layout, visiting=None)

    def _latest_task(self) -> int | None:
        """The task consolidated last is the one whose anchor the parameters still are."""
        for constraint in self.constraints:
            if constraint.anchor.keys() == self.weights.keys() and all(
                torch.equal(anchor, self.weights[name]) for name, anchor in constraint.anchor.items()
            ):
                return constraint.task_index
        return None


class OpenedSubject:
    """A subject with its network built and its data loaded. The network is in eval mode and changed by no method here."""

    def __init__(self, subject: AnalysisSubject) -> None:
        """Build and load.

        Raises:
            SpecError: the tasks cannot be loaded (DatasetUnavailable: files are missing).
            DataChanged: their data are not what the job learned from.
            ParameterMismatch: the weights do not fit the spec's network.
        """
        self.subject = subject
        self._book = TaskBook(subject.spec, data_dir=subject.data_dir, known_digests=subject.digests)
        for index, task in enumerate(subject.tasks):
            self._book.require(index, task)
        self.network: nn.Module = build_network(
            subject.spec.network,
            input_shape=self._book.input_shape,
            num_outputs=self._book.heads.num_outputs,
            generator=generator(subject.spec.seed, "network"),
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
