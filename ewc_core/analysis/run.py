"""An analysis as a computation: any question, in units of work that can be stored and taken up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from torch import Tensor

from ewc_core.analysis.capacity_run import CapacityRun
from ewc_core.analysis.game_subject import GameSubject, OpenedGames
from ewc_core.analysis.overlap_game_run import GameOverlapRun
from ewc_core.analysis.overlap_run import OverlapRun
from ewc_core.analysis.perturbation_game_run import GamePerturbationRun
from ewc_core.analysis.perturbation_run import PerturbationRun
from ewc_core.analysis.subject import AnalysisSubject, OpenedSubject
from ewc_core.computation import ComputationResult
from ewc_core.errors import SpecError, StateFormatError
from ewc_core.specs import AnalysisQuestion, AnalysisSpec, OverlapAnalysis, PerturbationAnalysis


class _Question(Protocol):
    num_steps: int

    def do(self, step: int) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """What the rest depends on: the tensors themselves, not copies."""

    def result(self) -> ComputationResult: ...


class AnalysisRun:
    """Answers one question about one subject; a `Computation`. The same spec and subject give the same bits."""

    def __init__(self, spec: AnalysisSpec, subject: AnalysisSubject | GameSubject) -> None:
        """Build the network and load the data; of an agent, play its games for the states that it meets.

        Raises:
            SpecError: a task that the subject does not have, data or games that cannot be loaded, or a question that cannot
                be asked of an agent; `field` is in the spec.
            ParameterMismatch: the weights do not fit the subject's network.
        """
        if isinstance(subject, GameSubject):
            self._question = _answering_about_games(spec.question, spec.seed, OpenedGames(subject))
        else:
            self._question = _answering(spec.question, spec.seed, OpenedSubject(subject))
        self.num_steps = self._question.num_steps
        self.step = 0

    def run(self) -> Iterator[None]:
        """Do what is left, one unit at a time."""
        while self.step < self.num_steps:
            self._question.do(self.step)
            self.step += 1
            yield

    def capture(self) -> dict[str, Tensor]:
        """Copies of everything that the rest depends on, besides the spec and the subject."""
        return {name: tensor.clone() for name, tensor in self._question.tensors().items()}

    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on after `step` units. Raises StateFormatError when step or tensors do not fit this question."""
        if not 0 <= step <= self.num_steps:
            raise StateFormatError(f"analysis is to go on after step {step}, expected 0 to {self.num_steps}")
        mine = self._question.tensors()
        expected = {name: (tensor.shape, tensor.dtype) for name, tensor in mine.items()}
        if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != expected:
            raise StateFormatError(f"state of an analysis holds {sorted(tensors)}, expected {sorted(expected)} of this question")
        for name, tensor in mine.items():
            tensor.copy_(tensors[name])
        self.step = step

    def result(self) -> ComputationResult:
        """The findings, once all units are done."""
        if self.step < self.num_steps:
            raise RuntimeError(f"the analysis has done {self.step} of {self.num_steps} units; its result comes after the last")
        return self._question.result()


def _answering(question: AnalysisQuestion, seed: int, opened: OpenedSubject) -> _Question:
    if isinstance(question, OverlapAnalysis):
        return OverlapRun(question, seed, opened)
    if isinstance(question, PerturbationAnalysis):
        return PerturbationRun(question, seed, opened)
    return CapacityRun(question, seed, opened)


def _answering_about_games(question: AnalysisQuestion, seed: int, opened: OpenedGames) -> _Question:
    if isinstance(question, OverlapAnalysis):
        return GameOverlapRun(question, seed, opened)
    if isinstance(question, PerturbationAnalysis):
        return GamePerturbationRun(question, seed, opened)
    raise SpecError("how much of a network is frozen is measured for supervised jobs only", field="question.kind")
