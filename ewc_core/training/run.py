"""What every kind of job is while it runs: a generator of events, with a state that can be captured in between."""

from __future__ import annotations

from typing import Protocol

from ewc_core.resume import ResumePoint


class Run(Protocol):
    """The work of one job. A `VisitRun` learns visit after visit, a `UnitRun` does one unit after another.

    Deterministic: the same spec, seed and thread count give the same bits, however often the run was captured and taken up
    again. Global torch state (threads, determinism, generators) is the caller's and is not touched.
    """

    step: int
    """How many steps of the visit, or units, are done."""

    @property
    def can_capture(self) -> bool:
        """Whether `capture` is allowed now."""

    def capture(self, *, live: bool = False) -> ResumePoint:
        """The present state. Changes nothing.

        Its tensors are copies; with `live` they may be the run's own, which the next step changes: for who writes them out
        before, and has no memory to spare for copies.
        """

    def point_kept(self) -> None:
        """The point captured last is stored: what only earlier ones needed may go."""
