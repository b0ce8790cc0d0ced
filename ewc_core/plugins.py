"""Plug-ins: what installed packages offer under an entry point group, loaded by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from ewc_core.errors import PluginFailed, SpecError
from ewc_core.specs.plugins import installed_plugins, offered
from ewc_core.user_code import users_code


def load_plugin(group: str, name: str, *, field: str) -> Any:
    """The object that the entry point `name` of `group` stands for; its package is imported.

    Raises:
        SpecError: at `field`: no such entry point, or several packages with one of this name.
        PluginFailed: the import fails.
    """
    found = _offered_as(group, name)
    if not found:
        known = ", ".join(installed_plugins(group)) or "none"
        raise SpecError(f"no installed package has a plug-in {name!r} of group {group!r}; installed: {known}", field=field)
    if len({entry_point.value for entry_point in found}) > 1:
        sources = ", ".join(sorted(map(_source, found)))
        raise SpecError(f"plug-in {name!r} of group {group!r} is offered more than once: {sources}; uninstall one", field=field)
    what = f"plug-in {name!r} ({_source(found[0])}) cannot be loaded: importing it"
    with users_code(what, failed=PluginFailed, field=field):
        return found[0].load()


def package_of(group: str, name: str) -> str | None:
    """Name and version of the package that offers the entry point; None where it belongs to none."""
    packages = (entry_point.dist for entry_point in _offered_as(group, name))
    return next((f"{package.name} {package.version}" for package in packages if package is not None), None)


def _offered_as(group: str, name: str) -> list[EntryPoint]:
    return [entry_point for entry_point in offered(group) if entry_point.name == name]


def _source(entry_point: EntryPoint) -> str:
    package = entry_point.dist.name if entry_point.dist is not None else "unknown package"
    return f"{entry_point.value} of {package}"
