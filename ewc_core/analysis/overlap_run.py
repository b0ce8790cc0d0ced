"""Fisher overlap of two tasks of a job, between its chance level and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import Block, FisherSums, blocks_of
from ewc_core.analysis.overlap import INDEPENDENT_SQUARES, overlap, shuffled_overlap
from ewc_core.analysis.subject import OpenedSubject, chosen_examples
from ewc_core.computation import ComputationResult, CurvePoint
from ewc_core.data import TaskData
from ewc_core.errors import SpecError
from ewc_core.layers import ALL_PARAMETERS, by_layer, with_whole
from ewc_core.seeding import generator
from ewc_core.specs import OverlapAnalysis

Values = Mapping[str, float | None]


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
        self._sums = FisherSums(opened, list(self._sizes))
        self.num_steps = len(self._blocks)

    def do(self, step: int) -> None:
        """One block."""
        block = self._blocks[step]
        self._sums.add(block, self._data[block.task])

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return self._sums.tensors

    def result(self) -> ComputationResult:
        """`overall` and `layers`: overlap, chance and ceiling; None where a Fisher is 0."""
        layers = by_layer(self._opened.parameters.layout.names)
        groups = with_whole(layers)
        first, second = self._fisher("first.0", "first.1"), self._fisher("second.0", "second.1")
        random = generator(self._seed, "shuffle")
        measured = overlap(first, second, groups)
        shuffled = shuffled_overlap(first, second, layers, generator=random, groups=groups)
        ceilings = {
            which: overlap(self._fisher(f"{which}.0"), self._fisher(f"{which}.1"), groups) for which in ("first", "second")
        }
        rows = {group: _row(group, measured, shuffled, ceilings) for group in groups}
        body = {
            "kind": "overlap",
            "first_task": self._question.first_task,
            "second_task": self._question.second_task,
            "num_examples": {which: self._sizes[f"{which}.0"] + self._sizes[f"{which}.1"] for which in ("first", "second")},
            "overall": rows.pop(ALL_PARAMETERS),
            "layers": rows,
        }
        series = {"overlap": measured, "shuffled": shuffled, **{f"ceiling_{which}": value for which, value in ceilings.items()}}
        curves = [
            CurvePoint(method=name, name="fisher_overlap", step=depth, value=value)
            for name, values in series.items()
            for depth, layer in enumerate(layers)
            if (value := values[layer]) is not None
        ]
        return ComputationResult(body, curves)

    def _fisher(self, *keys: str) -> dict[str, Tensor]:
        total = torch.stack([self._sums.tensors[key] for key in keys]).sum(0)
        return self._opened.parameters.layout.split(total / sum(self._sizes[key] for key in keys))


def _row(group: str, measured: Values, shuffled: Values, ceilings: Mapping[str, Values]) -> dict[str, object]:
    return {
        "overlap": measured[group],
        "chance": {"independent_squares": INDEPENDENT_SQUARES, "shuffled": shuffled[group]},
        "ceiling": {which: values[group] for which, values in ceilings.items()},
    }
