"""Checks, as the record holds them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ewc_core.checking.look import Look, LookOver
from ewc_core.implementations import implementation
from ewc_core.specs import CheckSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.units import Findings, UnitRun


class CheckComputation:
    """A look at one job: a `Computation` of one unit. It keeps nothing: what was found is found again."""

    num_steps = 1

    def __init__(self, spec: CheckSpec, stored: StoredJob) -> None:
        self._spec, self._stored = spec, stored
        self._look: Look | None = None

    def do(self, step: int) -> None:
        """Look."""
        path = self._spec.job.checked_by
        if path is None:
            raise AssertionError(f"jobs of kind {self._spec.job.kind!r} are not checked")
        look_over: LookOver = implementation(path)
        self._look = look_over(self._spec.job, self._stored)

    def state(self, step: int) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def load_state(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Look again, where that was done."""
        if step > 0:
            self.do(0)

    def findings(self) -> Findings:
        """What is wrong and what the job takes."""
        if self._look is None:
            raise AssertionError("nothing was looked at")
        return Findings(body=self._look.body(), curves=[])


def take_up(spec: CheckSpec, stored: StoredJob) -> UnitRun:
    """The run of a check as its record has it; see `ewc_core.training.take_up`."""
    return UnitRun.at(CheckComputation(spec, stored), stored.point)
