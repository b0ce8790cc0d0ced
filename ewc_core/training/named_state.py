"""The states of parts within the state of a whole: tensors whose names begin with the part's prefix."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A part's state as it enters the whole: every name after `prefix`."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def taken(rest: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The state of the part `prefix`, taken out of `rest`, which is left with what belongs to others."""
    names = [name for name in rest if name.startswith(prefix)]
    return {name.removeprefix(prefix): rest.pop(name) for name in names}
