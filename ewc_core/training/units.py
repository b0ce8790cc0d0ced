"""The unit loop: a job without tasks does one unit after another, and then has a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.resume import ResumePoint


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve: a rule's or method's value of `name` at `step`."""

    method: str
    name: str
    step: int
    value: float


@dataclass(frozen=True)
class Findings:
    """What a computation found: `body` can be written as JSON (finite numbers or None), `curves` are for plots."""

    body: dict[str, Any]
    curves: list[CurvePoint]


class Computation(Protocol):
    """Work in `num_steps` units, done in their order. The same spec and seed give the same bits."""

    num_steps: int

    def do(self, step: int) -> None:
        """Do unit `step`, from 0."""

    def state(self, step: int) -> dict[str, Tensor]:
        """Copies of everything that the rest depends on after `step` units, besides the spec."""

    def load_state(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on after `step` units from what `state` gave then. Raises StateFormatError when it does not fit."""

    def findings(self) -> Findings:
        """What was found, once all units are done."""


class UnitRun:
    """A `Run` that does the units of a computation. Its state may be captured after every unit."""

    can_capture = True

    def __init__(self, computation: Computation) -> None:
        self.step = 0
        self.num_steps = computation.num_steps
        self._computation = computation

    @classmethod
    def at(cls, computation: Computation, point: ResumePoint | None) -> UnitRun:
        """Go on from `point` with a fresh computation of the same spec; begin where there is none.

        Raises:
            StateFormatError: the point is not one of a job with this spec.
        """
        if point is None:
            return cls(computation)
        if point.step > computation.num_steps:
            raise StateFormatError(f"the resume point is after unit {point.step}; there are {computation.num_steps}")
        run = cls(computation)
        computation.load_state(point.step, point.tensors)
        run.step = point.step
        return run

    def capture(self, *, live: bool = False) -> ResumePoint:
        """The present state, in copies either way. Changes nothing."""
        return ResumePoint(visit_index=0, step=self.step, tensors=self._computation.state(self.step))

    def point_kept(self) -> None:
        """Nothing lies beside the point."""

    def work(self) -> Iterator[int]:
        """Do what is left; yields the number of units done after each."""
        while self.step < self.num_steps:
            self._computation.do(self.step)
            self.step += 1
            yield self.step

    def findings(self) -> Findings:
        """What was found.

        Raises:
            RuntimeError: units are left to do.
        """
        if self.step < self.num_steps:
            raise RuntimeError(f"{self.num_steps - self.step} of {self.num_steps} units are left to do")
        return self._computation.findings()
