"""Fisher overlap of two games that one agent plays, at its present weights and as its constraints were stored."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import Block, FisherSums, blocks_of
from ewc_core.analysis.game_subject import OpenedGames
from ewc_core.analysis.overlap_findings import OverlapFindings, overlap_findings
from ewc_core.analysis.visited_states import NUM_STATES, reader, visited_states
from ewc_core.specs import LikelihoodName, OverlapAnalysis
from ewc_core.training.units import CurvePoint, Findings

_LEFT_OUT = "biases and gains: every task has its own"


class GameOverlapRun:
    """Both games' Fishers of N(Q, 1) at the same shared weights, each with its own biases and gains: a unit is a block of
    states that the agent meets there. Their two halves, of different episodes, give the ceiling.

    The constraints' own Fishers were estimated on replay when each game was left: at other weights, on what exploration met.
    """

    def __init__(self, question: OverlapAnalysis, seed: int, opened: OpenedGames) -> None:
        self._question, self._seed, self._opened = question, seed, opened
        self._states: dict[str, Tensor] = {}
        self._blocks: list[Block] = []
        for which, task in (("first", question.first_task), ("second", question.second_task)):
            opened.select(task, field=f"question.{which}_task")
            halves = visited_states(opened, task, num_states=question.num_examples or NUM_STATES, seed=seed)
            for number, states in enumerate(halves):
                self._states[f"{which}.{number}"] = states
                self._blocks += blocks_of(f"{which}.{number}", task, torch.arange(len(states)))
        self._sums = FisherSums(opened.network, opened.parameters.layout, list(self._states))
        self.num_steps = len(self._blocks)

    def do(self, step: int) -> None:
        """One block."""
        block = self._blocks[step]
        self._opened.select(block.task, field="question")
        self._sums.add(block, reader(self._states[block.into], block.indices), likelihood=LikelihoodName.GAUSSIAN)

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return self._sums.tensors

    def findings(self) -> Findings:
        """`overall` and `layers` as an `OverlapRun` has them, and `stored`: the same of the constraints, without a ceiling;
        None where one of the tasks has none."""
        question = self._question
        now = overlap_findings(
            self._fisher("first.0", "first.1"),
            self._fisher("second.0", "second.1"),
            self._opened.layers,
            seed=self._seed,
            halves={which: (self._fisher(f"{which}.0"), self._fisher(f"{which}.1")) for which in ("first", "second")},
        )
        stored = self._stored()
        body = {
            "kind": "overlap",
            "first_task": question.first_task,
            "second_task": question.second_task,
            "num_examples": {
                which: len(self._states[f"{which}.0"]) + len(self._states[f"{which}.1"]) for which in ("first", "second")
            },
            "overall": now.overall,
            "layers": now.layers,
            "stored": None if stored is None else {"overall": stored.overall, "layers": stored.layers},
            "left_out": _LEFT_OUT,
        }
        return Findings(body, [*now.curves(), *_renamed(stored)])

    def _stored(self) -> OverlapFindings | None:
        by_task = {constraint.task_index: constraint.fisher for constraint in self._opened.subject.constraints}
        pair = [by_task.get(task) for task in (self._question.first_task, self._question.second_task)]
        if pair[0] is None or pair[1] is None:
            return None
        return overlap_findings(pair[0], pair[1], self._opened.layers, seed=self._seed)

    def _fisher(self, *keys: str) -> dict[str, Tensor]:
        total = torch.stack([self._sums.tensors[key] for key in keys]).sum(0)
        return self._opened.parameters.layout.split(total / sum(len(self._states[key]) for key in keys))


def _renamed(stored: OverlapFindings | None) -> list[CurvePoint]:
    points = [] if stored is None else stored.curves()
    return [CurvePoint(method=f"stored_{point.method}", name=point.name, step=point.step, value=point.value) for point in points]
