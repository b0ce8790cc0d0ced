"""Fisher overlap of two tasks of a job, between its chance level and its ceiling."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import Block, FisherSums, blocks_of
from ewc_core.analysis.overlap_findings import overlap_findings
from ewc_core.analysis.subject import OpenedSubject, chosen_examples
from ewc_core.data import TaskData
from ewc_core.errors import SpecError
from ewc_core.layers import by_layer
from ewc_core.specs import OverlapAnalysis
from ewc_core.training.units import Findings


class OverlapRun:
    """Both tasks' Fishers at the same parameters, each from two halves of its examples: a unit is a block of examples.

    The ceiling is the overlap of a task's two halves: what sampling alone takes from 1. Chance is the overlap with the
    second task's Fisher shuffled within each layer.
    """

    def __init__(self, question: OverlapAnalysis, seed: int, opened: OpenedSubject) -> None:
        self._question, self._seed, self._opened = question, seed, opened
        self._data: dict[int, TaskData] = {}
        self._sizes: dict[str, int] = {}
        self._blocks: list[Block] = []
        for which, task in (("first", question.first_task), ("second", question.second_task)):
            self._data[task] = opened.data(task, field=f"question.{which}_task")
            indices = chosen_examples(self._data[task], question.num_examples, seed, "examples", which)
            if len(indices) < 2:
                raise SpecError(f"task {task} has {len(indices)} training examples; halves of them need 2", field="question")
            for half, part in ((0, indices[0::2]), (1, indices[1::2])):
                self._sizes[f"{which}.{half}"] = len(part)
                self._blocks += blocks_of(f"{which}.{half}", task, part.sort().values)
        self._sums = FisherSums(opened.network, opened.parameters.layout, list(self._sizes))
        self.num_steps = len(self._blocks)

    def do(self, step: int) -> None:
        """One block."""
        block = self._blocks[step]
        data, view = self._data[block.task], self._opened.view(block.task)
        self._sums.add(
            block, self._opened.reader(block.task, data, block.indices), likelihood=data.likelihood, select=view.select
        )

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return self._sums.tensors

    def findings(self) -> Findings:
        """`overall` and `layers`: overlap, chance and ceiling; None where a Fisher is 0."""
        found = overlap_findings(
            self._fisher("first.0", "first.1"),
            self._fisher("second.0", "second.1"),
            by_layer(self._opened.parameters.layout.names),
            seed=self._seed,
            halves={which: (self._fisher(f"{which}.0"), self._fisher(f"{which}.1")) for which in ("first", "second")},
        )
        body = {
            "kind": "overlap",
            "first_task": self._question.first_task,
            "second_task": self._question.second_task,
            "num_examples": {which: self._sizes[f"{which}.0"] + self._sizes[f"{which}.1"] for which in ("first", "second")},
            "overall": found.overall,
            "layers": found.layers,
        }
        return Findings(body, found.curves())

    def _fisher(self, *keys: str) -> dict[str, Tensor]:
        total = torch.stack([self._sums.tensors[key] for key in keys]).sum(0)
        return self._opened.parameters.layout.split(total / sum(self._sizes[key] for key in keys))
