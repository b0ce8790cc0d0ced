"""What a visit says about itself beside its results, whatever is learned. None of it can stop training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ewc_core.diagnostics import Diagnostics
from ewc_core.events import Event, StepLogged, Visit, Warned

Key = TypeVar("Key")
Value = TypeVar("Value")


class Informing:
    """Makes the events of a run that only inform, in the name of its `method`; what cannot be made is an event of its own
    (`diagnostic_failed`)."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._diagnostics = Diagnostics()

    def start_visit(self) -> None:
        """Say again what fails again, for another reason."""
        self._diagnostics.start_visit()

    def make(self, name: str, diagnostic: Callable[[], Value]) -> Value | None:
        """What `diagnostic` returns; None where it fails."""
        return self._diagnostics.make(name, diagnostic)

    def numbers(self, name: str, measured: Mapping[Key, Callable[[], float]]) -> dict[Key, float]:
        """The numbers of one diagnostic, without those that cannot be measured or are not finite."""
        return self._diagnostics.numbers(name, measured)

    def penalties(self, measured: Mapping[str, Callable[[], float]]) -> dict[str, float]:
        """The penalty's curve, by method."""
        return self.numbers("the penalty's curve", measured)

    def step(self, visit: Visit, step: int, losses: Mapping[str, float], penalties: Mapping[str, float]) -> Iterator[Event]:
        """The curves of one step."""
        yield StepLogged(visit, step, losses, penalties)
        yield from self.failures(visit)

    def failures(self, visit: Visit) -> Iterator[Warned]:
        """An event for each diagnostic that has failed since the last time."""
        return self._diagnostics.warnings(visit, self._method)

    def warned(self, visit: Visit, code: str, message: str) -> Warned:
        """A warning about the method."""
        return Warned(visit, self._method, code, message)
