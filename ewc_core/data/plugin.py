"""Data sets made by installed packages: entry points of the group `ewc.task_sources`.

Such an entry point is an object that is called as `source(options)` with the spec's `options`. It returns a mapping, or
an object with attributes: `train_inputs`, `train_targets`, `test_inputs` and `test_targets`, numpy arrays or tensors,
and optionally `likelihood` ("categorical" if left out). The same options must give the same arrays: a job that is
resumed asks again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ewc_core.data.checked import checked_source
from ewc_core.data.digests import Reading
from ewc_core.data.layout import ALL_ARRAYS
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable, PluginFailed, SpecError
from ewc_core.plugins import load_plugin, package_of
from ewc_core.random_states import random_states_kept
from ewc_core.specs import LikelihoodName, PluginDataset
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.plugins import installed_plugins
from ewc_core.user_code import users_code

_TYPE, _UNKNOWN = "type", "unknown"


def load_plugin_source(dataset: PluginDataset, reading: Reading | None = None) -> DataSource:
    """The data source that a plug-in makes of the spec's options, checked like a user's file.

    Raises:
        DatasetUnavailable: no installed package has such a plug-in.
        PluginFailed: it cannot be imported, raises, returns what does not fit, or something else each time; the message names
            it.
    """
    known = installed_plugins(TASK_SOURCE_PLUGINS)
    if dataset.name not in known:
        raise DatasetUnavailable(
            f"no installed package has a task source {dataset.name!r}; installed: {', '.join(known) or 'none'}",
            field="dataset.name",
        )
    make = load_plugin(TASK_SOURCE_PLUGINS, dataset.name, field="dataset.name")
    where = f"task source {dataset.name!r} with options {dataset.options}"
    with random_states_kept():
        values = _made(make, dataset, where)
        before = _digests(values)
        values = _made(make, dataset, where)
    if values[_UNKNOWN]:
        raise PluginFailed(
            f"{where} returned unknown {', '.join(values[_UNKNOWN])}; expected {', '.join(ALL_ARRAYS)}, and likelihood if it is "
            "not 'categorical'",
            field="dataset.name",
        )
    missing = [name for name in ALL_ARRAYS if values[name] is None]
    if missing:
        raise PluginFailed(f"{where} returned {values[_TYPE]} without {', '.join(missing)}", field="dataset.name")
    changed = [name for name, digest in _digests(values).items() if digest != before[name]]
    if changed:
        raise PluginFailed(
            f"{where}: two calls gave different {', '.join(changed)}; a job that goes on asks again, so draw from a generator "
            "that the options seed, and keep nothing from one call to the next",
            field="dataset.name",
        )
    likelihood = _likelihood(values["likelihood"], where)
    try:
        source = checked_source({name: values[name] for name in ALL_ARRAYS}, likelihood, where=where, field="dataset.name")
    except SpecError as error:
        raise PluginFailed(str(error), field=error.field) from error
    if reading is not None:
        options = json.dumps(dataset.options, sort_keys=True)
        reading.arrays(
            source.tensors(),
            f"task source {dataset.name!r} with options {options}",
            kind=likelihood.value,
            version=package_of(TASK_SOURCE_PLUGINS, dataset.name),
        )
    return source


def _made(make: Callable[..., Any], dataset: PluginDataset, where: str) -> dict[str, Any]:
    """What one call gives, by name (None for what it does not give), the type of it all, and names that say nothing."""
    with users_code(where, failed=PluginFailed, field="dataset.options"):
        made = make(copy.deepcopy(dataset.options))
        names = (*ALL_ARRAYS, "likelihood")
        values = {name: _own(_value(made, name)) for name in names}
        unknown = [repr(name) for name in made if name not in names] if isinstance(made, Mapping) else []
    return {**values, _TYPE: type(made).__name__, _UNKNOWN: unknown}


def _digests(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _digest(value) for name, value in values.items()}


def _digest(value: Any) -> str:
    """Of an array's or tensor's bytes; anything else is told by its type and what it prints."""
    if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized:
        value = value.resolve_conj().resolve_neg().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return sha256(f"{value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
    return type(value).__name__


def _value(made: Any, name: str) -> Any:
    return made.get(name) if isinstance(made, Mapping) else getattr(made, name, None)


def _own(value: Any) -> Any:
    """A copy: a plug-in may keep its arrays, and change them for the next task."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _likelihood(value: Any, where: str) -> LikelihoodName:
    try:
        return LikelihoodName.CATEGORICAL if value is None else LikelihoodName(value)
    except ValueError as error:
        names = ", ".join(repr(name.value) for name in LikelihoodName)
        raise PluginFailed(f"{where} returned likelihood {value!r}, expected one of {names}", field="dataset.name") from error
