"""Specs that were checked when they came in: read back from where they were stored, and not checked anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from ewc_core.errors import RowDamaged
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.job import JOB_SPEC, JobSpec
from ewc_core.specs.sweep import SweepSpec

_TASK_SPEC: TypeAdapter[AnyTaskSpec] = TypeAdapter(AnyTaskSpec)
_SWEEP_SPEC = TypeAdapter(SweepSpec)
_CHECKS = ("function-after", "function-before", "function-wrap")
_BOUNDS = frozenset(
    {"ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "allow_inf_nan", "extra_fields_behavior"}
    | {"strict"}
)
_TOLD_PLACES = 3
_NO_SCHEMAS = frozenset({"cls", "default", "members", "metadata", "serialization"})


def job_spec_from_stored(document: Mapping[str, Any]) -> JobSpec:
    """The spec of a job as it was stored, even if a rule of today would refuse it.

    Raises:
        RowDamaged: it is none.
    """
    with _damage_told("the spec of a job"):
        spec: JobSpec = _reader(JOB_SPEC).validate_python(lifted_job(document))
    return spec


def task_spec_from_stored(document: Mapping[str, Any]) -> AnyTaskSpec:
    """The spec of a task as it was stored, even if a rule of today would refuse it.

    Raises:
        RowDamaged: it is none.
    """
    with _damage_told("the spec of a task"):
        spec: AnyTaskSpec = _reader(_TASK_SPEC).validate_python(document)
    return spec


def sweep_spec_from_stored(document: Mapping[str, Any]) -> SweepSpec:
    """The spec of a sweep as it was stored, even if a rule of today would refuse it.

    Raises:
        RowDamaged: it is none.
    """
    with _damage_told("the spec of a sweep"):
        spec: SweepSpec = _reader(_SWEEP_SPEC).validate_python({**document, "job": lifted_job(document["job"])})
    return spec


def lifted_job(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored job spec in the terms of this version: one of before supervised specs had versions is of version 1.

    New specs are stored with their version, so whatever lacks one was stored before.
    """
    if stored.get("kind", "supervised") != "supervised":
        return dict(stored)
    return {"spec_version": 1, **stored}


@contextmanager
def _damage_told(what: str) -> Iterator[None]:
    """JSON of another shape breaks the lifting of old versions as well as the reading: it may be a list, or lack what was always
    there."""
    try:
        yield
    except ValidationError as error:
        places = ", ".join(".".join(str(part) for part in one["loc"]) or "all of it" for one in error.errors()[:_TOLD_PLACES])
        raise RowDamaged(f"{what} is of another shape than was stored ({places})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RowDamaged(f"{what} is of another shape than was stored") from error


@cache
def _reader(adapter: TypeAdapter[Any]) -> SchemaValidator:
    # Without the last argument the parts of a spec would be read by the validators of their classes, rules and all.
    return SchemaValidator(_without_rules(adapter.core_schema), _use_prebuilt=False)


def _without_rules(schema: Any) -> Any:
    """A pydantic schema that still finds the class, the type and the default of every field, and refuses no value of them."""
    if isinstance(schema, list | tuple):
        return [_without_rules(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in _CHECKS:
        checked = _without_rules(schema["schema"])
        return {**checked, "ref": schema["ref"]} if "ref" in schema else checked
    return {name: part if name in _NO_SCHEMAS else _without_rules(part) for name, part in schema.items() if name not in _BOUNDS}
