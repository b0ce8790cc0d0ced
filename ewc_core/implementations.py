"""What registries name by dotted path, loaded when it is needed: their entries load no torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def implementation(path: str) -> Any:
    """The function or class at "module:name"."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
