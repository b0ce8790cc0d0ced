"""Which outputs of the network a task uses, for the three kinds of heads.

With outputs [0, O) and n_k outputs of task k, block k is [Σ_{j<k} n_j, Σ_{j<=k} n_j). `shared`: every task uses
[0, n); or all of [0, O) where O was given, and then tasks may lack classes. `multi`: task k uses block k. `growing`:
task k uses [0, end of the last block seen), and its labels are moved to block k. Outputs beyond those used get no
gradient: training is that of a network without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.specs import HeadKind, HeadSpec, LikelihoodName


@dataclass(frozen=True)
class HeadView:
    """Outputs [start, stop) of `num_outputs`, and what is added to a task's labels."""

    start: int
    stop: int
    num_outputs: int
    label_offset: int = 0

    @property
    def select(self) -> Callable[[Tensor], Tensor] | None:
        """From all outputs [n, O] to those of this view; None when it is all of them."""
        if (self.start, self.stop) == (0, self.num_outputs):
            return None
        return lambda outputs: outputs[:, self.start : self.stop]

    def outputs(self, outputs: Tensor) -> Tensor:
        """The view's outputs [n, stop - start]."""
        return outputs if self.select is None else self.select(outputs)

    def targets(self, targets: Tensor) -> Tensor:
        """Targets as the view's outputs are numbered."""
        return targets + self.label_offset if self.label_offset else targets


class HeadPlan:
    """Gives outputs to tasks in the order of their indices."""

    def __init__(self, spec: HeadSpec, sizes: Sequence[int], *, shares_all: bool = False) -> None:
        """`sizes`: outputs of each task of the job's spec, which all get room. With `shares_all` every task of a shared head
        uses all outputs.

        Raises:
            SpecError: the tasks need more outputs than `spec.num_outputs`.
        """
        self.kind = spec.kind
        self._shares_all = shares_all
        needed = max(sizes) if spec.kind is HeadKind.SHARED else sum(sizes)
        self.num_outputs = spec.num_outputs or needed
        self._sizes: list[int] = []
        for size in sizes:
            self.add(size)

    def add(self, size: int) -> None:
        """Give outputs to the next task.

        Raises:
            SpecError: there are not enough left, or a shared head of a size that was not given has another size.
        """
        if self.kind is HeadKind.SHARED:
            if self._sizes and size != self._sizes[0] and not self._shares_all:
                raise SpecError(
                    f"task {len(self._sizes)} has {size} outputs, the first task {self._sizes[0]}; a shared head needs the same "
                    "number for all, or heads.num_outputs where labels mean the same in all tasks and some lack classes "
                    "(heads.kind 'multi' gives each task outputs of its own)",
                    field=f"tasks.{len(self._sizes)}.dataset",
                )
            end = size
        else:
            end = sum(self._sizes) + size
        if end > self.num_outputs:
            raise SpecError(
                f"task {len(self._sizes)} needs outputs up to {end}, the network has {self.num_outputs}; "
                "reserve more with heads.num_outputs when the job is submitted",
                field="heads.num_outputs",
            )
        self._sizes.append(size)

    @property
    def num_tasks(self) -> int:
        """Tasks that have been given outputs."""
        return len(self._sizes)

    def view(self, task_index: int, *, num_seen: int | None = None) -> HeadView:
        """The outputs of a task when the tasks 0..num_seen-1 have been seen (None: all that have outputs)."""
        if self.kind is HeadKind.SHARED:
            return HeadView(0, self.num_outputs if self._shares_all else self._sizes[task_index], self.num_outputs)
        start = sum(self._sizes[:task_index])
        if self.kind is HeadKind.MULTI:
            return HeadView(start, start + self._sizes[task_index], self.num_outputs)
        return HeadView(0, sum(self._sizes[:num_seen]), self.num_outputs, label_offset=start)

    def select(self, task_index: int) -> Callable[[Tensor], Tensor] | None:
        """From all outputs to those of a task, all tasks being seen; None when it is all of them."""
        return self.view(task_index).select


def check_head(kind: HeadKind, likelihood: LikelihoodName, task_index: int) -> None:
    """Raises SpecError for a growing head over targets that are no classes."""
    if kind is HeadKind.GROWING and likelihood is not LikelihoodName.CATEGORICAL:
        raise SpecError(
            f"task {task_index} has {likelihood.value} targets; heads.kind 'growing' needs categorical ones",
            field=f"tasks.{task_index}.dataset",
        )
