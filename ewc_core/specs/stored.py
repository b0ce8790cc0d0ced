"""Specs as they were stored, in the terms of this version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lifted_job(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored job spec, ready to be validated: one of before supervised specs had versions is of version 1.

    New specs are stored with their version, so whatever lacks one was stored before.
    """
    if stored.get("kind", "supervised") != "supervised":
        return dict(stored)
    return {"spec_version": 1, **stored}


def lifted_sweep(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored sweep spec, ready to be validated."""
    return {**stored, "job": lifted_job(stored["job"])}
