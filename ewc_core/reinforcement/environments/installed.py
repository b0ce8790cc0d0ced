"""Environments that installed packages offer: entry points of the group `gymnasium.envs`, which gymnasium 1 no longer loads.

Such an entry point is a function that registers environments, or a module that does so when it is imported. Its name is their
namespace: `grid = "grid_package:register"` with `register(id="Small-v0", ...)` offers `grid/Small-v0`; a name in double
underscores is none. Ids are kept as they were registered, too; none replaces an id that was there before.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint

import gymnasium

from ewc_core.errors import EnvironmentFailed
from ewc_core.random_states import random_states_kept
from ewc_core.specs.environments import ENVIRONMENT_PLUGINS
from ewc_core.specs.plugins import offered
from ewc_core.user_code import users_code

_loaded: dict[EntryPoint, EnvironmentFailed | None] = {}


def registered_id(name: str) -> tuple[str, list[EnvironmentFailed]]:
    """The id under which gymnasium may now know environment `name`, and why packages that could offer it cannot be loaded.

    Packages are loaded when an id is asked for that gymnasium does not know; each once in a process. "package.module:Id-v0"
    imports the module first; a spec holds it only where that package has an entry point of the group.
    """
    module, _, name = name.rpartition(":")
    failures = []
    if module:
        try:
            with _registering(), users_code(f"module {module!r} cannot be imported: it", failed=EnvironmentFailed, field="id"):
                importlib.import_module(module)
        except EnvironmentFailed as failed:
            failures.append(failed)
    if name in gymnasium.registry:
        return name, failures
    for entry_point in offered(ENVIRONMENT_PLUGINS):
        if entry_point not in _loaded:
            _loaded[entry_point] = _load(entry_point)
        failure = _loaded[entry_point]
        if failure is not None:
            failures.append(failure)
    return name, failures


def _load(entry_point: EntryPoint) -> EnvironmentFailed | None:
    before = dict(gymnasium.registry)
    package = entry_point.dist.name if entry_point.dist is not None else "an unknown package"
    what = f"environments {entry_point.name!r} of {package} ({entry_point.value}) cannot be loaded: that"
    failure = None
    try:
        with _registering(), users_code(what, failed=EnvironmentFailed, field="id"):
            register = entry_point.load()
            if callable(register):
                register()
    except EnvironmentFailed as failed:
        failure = failed
    is_namespace = not (entry_point.name.startswith("__") and entry_point.name.endswith("__"))
    for name, spec in list(gymnasium.registry.items()):
        if before.get(name) is spec:
            continue
        within = f"{entry_point.name}/{name}"
        if is_namespace and "/" not in name and within not in gymnasium.registry:
            gymnasium.registry[within] = replace(spec, id=within)
        if name in before:
            gymnasium.registry[name] = before[name]
    return failure


@contextmanager
def _registering() -> Iterator[None]:
    """Inside the block gymnasium's warnings about ids are not shown; random states are put back."""
    with random_states_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
