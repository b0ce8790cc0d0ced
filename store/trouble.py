"""Telling of trouble that lasts: once when it begins or changes, once when it is over. A disk may be full for days."""

from __future__ import annotations

import logging


class Trouble:
    """What keeps one thing that is tried again and again from working."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        """`what` is tried, in the plural: "sweeps"."""
        self._log = log
        self._what = what
        self._said: str | None = None

    def is_met(self, error: Exception) -> None:
        """It has failed, and will be tried again."""
        text = f"{type(error).__name__}: {error}"
        if text != self._said:
            self._log.warning("%s fail, and are tried again (%s)", self._what, text)
        self._said = text

    def is_over(self) -> None:
        """It has worked."""
        if self._said is not None:
            self._log.warning("%s work again", self._what)
        self._said = None
