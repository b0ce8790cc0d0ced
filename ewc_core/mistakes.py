"""Several mistakes in what a job was given, told all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ewc_core.errors import EwcError, SpecError, StateFormatError

MOST_TOLD = 20
MOST_FIELDS = 5


class Mistakes:
    """Errors that do not stand in each other's way, in the order in which they were found."""

    def __init__(self) -> None:
        self.found: list[EwcError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep an error of what is done here, and go on after it."""
        try:
            yield
        except (SpecError, StateFormatError) as error:
            self.note(error)

    def note(self, error: EwcError) -> None:
        """Keep an error, or each of those that it tells of."""
        self.found += error.parts if isinstance(error, SpecError) and error.parts else [error]

    def require_none(self) -> None:
        """Raises what was found, as one error."""
        if self.found:
            raise together(self.found)


def together(errors: Sequence[EwcError]) -> EwcError:
    """One error that tells of all `errors`. Its class is that of the first one that no retry can help, else of the first; its
    `field` that of the first."""
    if len(errors) == 1:
        return errors[0]
    lasting = next((error for error in errors if not error.retryable), errors[0])
    fields: dict[str, list[str]] = {}
    for error in errors:
        fields.setdefault(str(error), []).append(error.field)
    if len(fields) == 1:
        message = str(errors[0])
    else:
        told = [_told(text, where) for text, where in fields.items()]
        more = f"; and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        message = f"{len(told)} mistakes: {'; '.join(told[:MOST_TOLD])}{more}"
    kind = type(lasting) if isinstance(lasting, SpecError) else SpecError
    error = kind(message, field=errors[0].field)
    error.parts = tuple(errors)
    return error


def _told(text: str, fields: Sequence[str]) -> str:
    where = ", ".join(fields[:MOST_FIELDS]) + (f" and {len(fields) - MOST_FIELDS} more" if len(fields) > MOST_FIELDS else "")
    return f"{where}: {text}" if fields[0] else text
