"""Setting fields of a job by dotted name, such as `method.ewc_lambda` or `network.hidden_sizes.0`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ewc_core.errors import SpecError
from ewc_core.specs.hints import did_you_mean
from ewc_core.specs.supervised import SupervisedSpec

Scalar = bool | int | float | str

SEARCHABLE = ("method", "network", "training")
"""Parts of a job whose fields a sweep may set. The others say which problem is solved, not how."""
_FIXED = {
    "kind": "the fields that can be searched depend on it; submit one sweep per kind",
    "evaluate_on": "a sweep scores its trials on validation data",
    "evaluate_every": "the trials of a sweep are evaluated after each visit only",
    "num_validation_examples": "scores on different validation sets cannot be compared",
}


def with_fields(job: SupervisedSpec, values: Mapping[str, Scalar]) -> SupervisedSpec:
    """The job with other values in these fields.

    Raises:
        SpecError: a field that is not there or that a sweep may not set, or values that make no valid job; `field` is
            `search.<name>`, or `search` when only the values together are at fault.
    """
    body = job.model_dump()
    for name, value in values.items():
        _set(body, name, value)
    try:
        return SupervisedSpec.model_validate(body)
    except ValidationError as error:
        field = f"search.{next(iter(values))}" if len(values) == 1 else "search"
        settings = ", ".join(f"{name} {value!r}" for name, value in values.items())
        why = "; ".join(str(item["msg"]).removeprefix("Value error, ") for item in error.errors())
        raise SpecError(f"{settings} makes no valid job: {why}", field=field) from error


def _set(body: dict[str, Any], name: str, value: Scalar) -> None:
    parts = name.split(".")
    if parts[0] not in SEARCHABLE:
        raise _refusal(
            name, f"a sweep sets fields of {', '.join(SEARCHABLE)}, not of {parts[0]!r}{did_you_mean(parts[0], SEARCHABLE)}"
        )
    if len(parts) == 2 and parts[1] in _FIXED:
        raise _refusal(name, f"{name} cannot be searched: {_FIXED[parts[1]]}")
    place: Any = body
    for depth, part in enumerate(parts):
        names = _names_in(place)
        if part not in names:
            where = ".".join(parts[:depth])
            there = f"it has {', '.join(sorted(names))}" if names else "it is a single value"
            raise _refusal(name, f"{where} has no field {part!r}; {there}{did_you_mean(part, names)}")
        key = int(part) if isinstance(place, list) else part
        if depth == len(parts) - 1:
            _require_single(place[key], name)
            place[key] = value
        place = place[key]


def _require_single(present: Any, name: str) -> None:
    names = _names_in(present)
    if names:
        raise _refusal(name, f"{name} is not a single value; name one of its fields: {', '.join(sorted(names))}")


def _names_in(place: Any) -> set[str]:
    if isinstance(place, dict):
        return set(place)
    return {str(index) for index in range(len(place))} if isinstance(place, list) else set()


def _refusal(name: str, message: str) -> SpecError:
    return SpecError(message, field=f"search.{name}")
