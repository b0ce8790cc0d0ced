"""Parameters by layer."""

from __future__ import annotations

from collections.abc import Iterable

ALL_PARAMETERS = "all parameters"
"""The group of the whole network beside its layers; no module can have this name as an attribute."""


def by_layer(names: Iterable[str]) -> dict[str, list[str]]:
    """Parameter names by layer, in their order: the name without its last component ("body.0.weight" is of "body.0").

    A parameter of the network itself is a layer of its own.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return groups


def with_whole(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """The groups and, last, all their parameters together as `ALL_PARAMETERS`."""
    return {**groups, ALL_PARAMETERS: [name for names in groups.values() for name in names]}
