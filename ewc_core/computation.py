"""What a job without tasks is to the worker: units of work, a state that can be captured, and a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve: a rule's or method's value of `name` at `step`."""

    method: str
    name: str
    step: int
    value: float


@dataclass(frozen=True)
class ComputationResult:
    """What a computation found: `body` can be written as JSON (finite numbers or None), `curves` are for plots."""

    body: dict[str, Any]
    curves: list[CurvePoint]


class Computation(Protocol):
    """Work in `num_steps` units, of which `step` are done; the same spec and seed give the same bits, however often it
    was captured and restored."""

    num_steps: int
    step: int

    def run(self) -> Iterator[None]:
        """Do what is left, one unit at a time; the state may be captured at every yield."""

    def capture(self) -> dict[str, Tensor]:
        """Everything that the rest depends on, besides the spec."""

    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on after `step` units from what `capture` gave then. Raises StateFormatError when it does not fit."""

    def result(self) -> ComputationResult:
        """The findings; allowed once all units are done."""
