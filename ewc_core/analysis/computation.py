"""An analysis as a computation: any question, in units of work that can be stored and taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from ewc_core.analysis.capacity_run import CapacityRun
from ewc_core.analysis.overlap_run import OverlapRun
from ewc_core.analysis.perturbation_run import PerturbationRun
from ewc_core.analysis.target import HeldTarget, Target
from ewc_core.errors import SpecError, StateFormatError
from ewc_core.implementations import implementation
from ewc_core.specs import AnalysisQuestion, AnalysisSpec, OverlapAnalysis, PerturbationAnalysis
from ewc_core.training.stored import Subject
from ewc_core.training.units import Findings


class _Question(Protocol):
    num_steps: int

    def do(self, step: int) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """What the rest depends on: the tensors themselves, not copies."""

    def findings(self) -> Findings: ...


class AnalysisComputation:
    """Answers one question about one subject; a `Computation`. The same spec and subject give the same bits."""

    def __init__(self, spec: AnalysisSpec, subject: Subject) -> None:
        """Build the network and load the data; of an agent, play its games for the states that it meets.

        Raises:
            SpecError: a task that the subject does not have, data or games that cannot be loaded, or a question that cannot
                be asked of an agent; `field` is in the spec.
            ParameterMismatch: the weights do not fit the subject's network.
        """
        self._question = _answering(spec.question, spec.seed, opened(subject))
        self.num_steps = self._question.num_steps

    def do(self, step: int) -> None:
        """One unit of the question."""
        self._question.do(step)

    def state(self, step: int) -> dict[str, Tensor]:
        """Copies of everything that the rest depends on, besides the spec and the subject."""
        return {name: tensor.clone() for name, tensor in self._question.tensors().items()}

    def load_state(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when the tensors do not fit this question."""
        mine = self._question.tensors()
        expected = {name: (tensor.shape, tensor.dtype) for name, tensor in mine.items()}
        if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != expected:
            raise StateFormatError(f"state of an analysis holds {sorted(tensors)}, expected {sorted(expected)} of this question")
        for name, tensor in mine.items():
            tensor.copy_(tensors[name])

    def findings(self) -> Findings:
        """What was found, once all units are done."""
        return self._question.findings()


def opened(subject: Subject) -> Target:
    """What the kind of the subject's job gives to look at. Raises as `Target` says."""
    path = subject.spec.target
    if path is None:
        raise AssertionError(f"jobs of kind {subject.spec.kind!r} are no subjects: they name no target")
    target: Target = implementation(path)(subject.spec, subject)
    return target


def _answering(question: AnalysisQuestion, seed: int, target: Target) -> _Question:
    if isinstance(question, OverlapAnalysis):
        return OverlapRun(question, seed, target)
    if isinstance(question, PerturbationAnalysis):
        return PerturbationRun(question, seed, target)
    if not isinstance(target, HeldTarget):
        raise SpecError("how much of a network is frozen is measured for supervised jobs only", field="question.kind")
    return CapacityRun(question, seed, target)
