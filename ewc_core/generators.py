"""Generators that end with a result: run to their end, or passed on with every step shown otherwise."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Step = TypeVar("Step")
Shown = TypeVar("Shown")
Result = TypeVar("Result")


def finished(steps: Generator[object, None, Result]) -> Result:
    """Make all steps; what they end with."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def passed_on(steps: Generator[Step, None, Result], show: Callable[[Step], Shown]) -> Generator[Shown, None, Result]:
    """The steps as `show` shows each; ends with what they end with."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield show(step)
