"""How much two tasks rely on the same parameters: the overlap of their Fisher diagonals.

With F̂ = F / tr F, d² = ½ ‖√F̂₁ − √F̂₂‖² (Fréchet) is in [0, 1], and overlap = 1 − d² = Σ_i √(F̂₁,i F̂₂,i) (Kirkpatrick et
al. 2017, figure 3C; the norm is printed there without its square).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ewc_core.errors import ParameterMismatch

INDEPENDENT_SQUARES = 2.0 / math.pi
"""Expected overlap of two diagonals of independent squared standard normals: (E|z|)² = 2/π. Chance is not 0."""


def overlap(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], groups: Mapping[str, Sequence[str]]
) -> dict[str, float | None]:
    """1 − d² per group of parameter names, both Fishers normalised to unit trace within the group; in float64.

    1 for Fishers that are multiples of each other, 0 for disjoint ones; None where a Fisher is 0 all over the group.

    Raises:
        ParameterMismatch: a parameter is missing or its shapes differ.
    """
    return {group: _overlap(*_pair(first, second, names)) for group, names in groups.items()}


def shuffled_overlap(
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    layers: Mapping[str, Sequence[str]],
    *,
    generator: torch.Generator,
    groups: Mapping[str, Sequence[str]],
    num_shuffles: int = 8,
) -> dict[str, float | None]:
    """The chance level: mean overlap per group when the entries of `second` are shuffled within each of `layers`.

    It keeps how heavy-tailed both Fishers are, which alone moves chance far from 2/π. Mutates the generator.

    Raises:
        ParameterMismatch: a parameter is missing or its shapes differ.
    """
    overlaps = []
    for _ in range(num_shuffles):
        shuffled: dict[str, Tensor] = {}
        for names in layers.values():
            flat = torch.cat([second[name].reshape(-1) for name in names])
            parts = torch.split(flat[torch.randperm(len(flat), generator=generator)], [second[name].numel() for name in names])
            shuffled |= {name: part.view(second[name].shape) for name, part in zip(names, parts, strict=True)}
        overlaps.append(overlap(first, shuffled, groups))
    return {group: _mean([values[group] for values in overlaps]) for group in groups}


def _pair(first: Mapping[str, Tensor], second: Mapping[str, Tensor], names: Sequence[str]) -> tuple[Tensor, Tensor]:
    for name in names:
        shapes = [tuple(fisher[name].shape) if name in fisher else None for fisher in (first, second)]
        if None in shapes or shapes[0] != shapes[1]:
            raise ParameterMismatch(f"the two Fishers of parameter {name!r} have shapes {shapes[0]} and {shapes[1]}")
    one, other = (torch.cat([fisher[name].reshape(-1).double() for name in names]) for fisher in (first, second))
    return one, other


def _overlap(first: Tensor, second: Tensor) -> float | None:
    traces = float(first.sum()), float(second.sum())
    if min(traces) <= 0.0:
        return None
    return float(torch.dot((first / traces[0]).sqrt(), (second / traces[1]).sqrt()))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
