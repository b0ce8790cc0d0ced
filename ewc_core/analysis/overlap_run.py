"""Fisher overlap of two tasks of a job, between its chance level and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import Block, FisherSums, blocks_of
from ewc_core.analysis.overlap_findings import OverlapFindings, overlap_findings
from ewc_core.analysis.target import Sample, Target
from ewc_core.specs import OverlapAnalysis
from ewc_core.training.units import CurvePoint, Findings


class OverlapRun:
    """Both tasks' Fishers at the same weights, each from two halves of its examples: a unit is a block of examples.

    The ceiling is the overlap of a task's two halves: what sampling alone takes from 1. Chance is the overlap with the
    second task's Fisher shuffled within each layer. An agent's constraints have Fishers of their own, estimated on replay
    when each game was left: at other weights, on what exploration met; their overlap is told beside it.
    """

    def __init__(self, question: OverlapAnalysis, seed: int, target: Target) -> None:
        self._question, self._seed, self._target = question, seed, target
        self._samples: dict[str, Sample] = {}
        self._blocks: list[Block] = []
        for which, task in (("first", question.first_task), ("second", question.second_task)):
            target.select(task, field=f"question.{which}_task")
            for half, sample in enumerate(target.halves(task, question.num_examples, seed=seed, which=which)):
                self._samples[f"{which}.{half}"] = sample
                self._blocks += blocks_of(f"{which}.{half}", sample)
        self._sums = FisherSums(target.network, target.parameters.layout, list(self._samples))
        self.num_steps = len(self._blocks)

    def do(self, step: int) -> None:
        """One block."""
        block = self._blocks[step]
        self._target.select(block.sample.task, field="question")
        self._sums.add(block)

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return self._sums.tensors

    def findings(self) -> Findings:
        """`overall` and `layers`: overlap, chance and ceiling; None where a Fisher is 0. Of agents `stored` is the same of the
        constraints, without a ceiling; None where one of the tasks has none."""
        now = overlap_findings(
            self._fisher("first.0", "first.1"),
            self._fisher("second.0", "second.1"),
            self._target.layers,
            seed=self._seed,
            halves={which: (self._fisher(f"{which}.0"), self._fisher(f"{which}.1")) for which in ("first", "second")},
        )
        body = {
            "kind": "overlap",
            "first_task": self._question.first_task,
            "second_task": self._question.second_task,
            "num_examples": {which: self._size(f"{which}.0", f"{which}.1") for which in ("first", "second")},
            "overall": now.overall,
            "layers": now.layers,
        }
        fishers = self._target.stored_fishers
        if fishers is None:
            return Findings(body, now.curves())
        stored = self._stored(fishers)
        body["stored"] = None if stored is None else {"overall": stored.overall, "layers": stored.layers}
        body["left_out"] = self._target.left_out
        return Findings(body, [*now.curves(), *_renamed(stored)])

    def _stored(self, fishers: Mapping[int, Mapping[str, Tensor]]) -> OverlapFindings | None:
        pair = [fishers.get(task) for task in (self._question.first_task, self._question.second_task)]
        if pair[0] is None or pair[1] is None:
            return None
        return overlap_findings(pair[0], pair[1], self._target.layers, seed=self._seed)

    def _fisher(self, *keys: str) -> dict[str, Tensor]:
        total = torch.stack([self._sums.tensors[key] for key in keys]).sum(0)
        return self._target.parameters.layout.split(total / self._size(*keys))

    def _size(self, *keys: str) -> int:
        return sum(self._samples[key].size for key in keys)


def _renamed(stored: OverlapFindings | None) -> list[CurvePoint]:
    points = [] if stored is None else stored.curves()
    return [CurvePoint(method=f"stored_{point.method}", name=point.name, step=point.step, value=point.value) for point in points]
