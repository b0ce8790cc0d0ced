"""What only informs must not stop what it informs about: a diagnostic that cannot be made is said, and training goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from ewc_core.errors import NonFiniteError
from ewc_core.events import Visit, Warned

FAILED = "diagnostic_failed"
_MAX_CHARACTERS = 300
Key = TypeVar("Key")
Value = TypeVar("Value")


class Diagnostics:
    """Makes diagnostics by name, and keeps what to say of those that failed: of each once a visit, never twice the same."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._causes: set[str] = set()
        self._failed: list[str] = []

    def start_visit(self) -> None:
        """Say again what fails again, for another reason."""
        self._said.clear()

    def make(self, name: str, diagnostic: Callable[[], Value]) -> Value | None:
        """What `diagnostic` returns; None where it raises. A process that is out of memory is not helped by going on."""
        try:
            return diagnostic()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (networks, data and environments are users' code, which raises anything)
            failure = f"{name} could not be made, and training goes on without it: {_said(error)}"
            if name not in self._said and failure not in self._causes:
                self._causes.add(failure)
                self._failed.append(failure)
            self._said.add(name)
            return None

    def numbers(self, name: str, measured: Mapping[Key, Callable[[], float]]) -> dict[Key, float]:
        """The numbers of one diagnostic, without those that cannot be measured or are not finite."""
        values = {key: self.make(name, partial(_finite, measure)) for key, measure in measured.items()}
        return {key: value for key, value in values.items() if value is not None}

    def warnings(self, visit: Visit, method: str) -> Iterator[Warned]:
        """An event for each failure since the last time."""
        while self._failed:
            yield Warned(visit, method, FAILED, self._failed.pop(0))


def _finite(measure: Callable[[], float]) -> float:
    value = measure()
    if not math.isfinite(value):
        raise NonFiniteError(f"it is {value}, expected a finite number")
    return value


def _said(error: Exception) -> str:
    """The first line of what an error says, in characters that every record can hold."""
    first = str(error).strip().partition("\n")[0][:_MAX_CHARACTERS]
    return f"{type(error).__name__}: " + "".join(character if character.isprintable() else "?" for character in first)
