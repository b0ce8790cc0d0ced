"""Data sets made by installed packages: entry points of the group `ewc.task_sources`.

Such an entry point is an object that is called as `source(options)` with the spec's `options`. It returns a mapping, or
an object with attributes: `train_inputs`, `train_targets`, `test_inputs` and `test_targets`, numpy arrays or tensors,
and optionally `likelihood` ("categorical" if left out). The same options must give the same arrays: a job that is
resumed asks again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ewc_core.data.checked import checked_source
from ewc_core.data.digests import Reading
from ewc_core.data.layout import ALL_ARRAYS
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable, SpecError
from ewc_core.plugins import load_plugin, package_of
from ewc_core.specs import LikelihoodName, PluginDataset
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.plugins import installed_plugins


def load_plugin_source(dataset: PluginDataset, reading: Reading | None = None) -> DataSource:
    """The data source that a plug-in makes of the spec's options, checked like a user's file.

    Raises:
        DatasetUnavailable: no installed package has such a plug-in.
        SpecError: it cannot be imported, raises, or returns what does not fit; the message names it.
    """
    known = installed_plugins(TASK_SOURCE_PLUGINS)
    if dataset.name not in known:
        raise DatasetUnavailable(
            f"no installed package has a task source {dataset.name!r}; installed: {', '.join(known) or 'none'}",
            field="dataset.name",
        )
    make = load_plugin(TASK_SOURCE_PLUGINS, dataset.name, field="dataset.name")
    where = f"task source {dataset.name!r} with options {dataset.options}"
    try:
        made = make(copy.deepcopy(dataset.options))
    except Exception as error:  # a user's function: whatever it raises is the plug-in's error
        raise SpecError(f"{where} raised {type(error).__name__}: {error}", field="dataset.options") from error
    values = {name: _value(made, name) for name in (*ALL_ARRAYS, "likelihood")}
    missing = [name for name in ALL_ARRAYS if values[name] is None]
    if missing:
        raise SpecError(f"{where} returned {type(made).__name__} without {', '.join(missing)}", field="dataset.name")
    likelihood = _likelihood(values.pop("likelihood"), where)
    own = {name: _own(value) for name, value in values.items()}
    source = checked_source(own, likelihood, where=where, field="dataset.name")
    if reading is not None:
        options = json.dumps(dataset.options, sort_keys=True)
        reading.arrays(
            source.tensors(),
            f"task source {dataset.name!r} with options {options}",
            kind=likelihood.value,
            version=package_of(TASK_SOURCE_PLUGINS, dataset.name),
        )
    return source


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
        raise SpecError(f"{where} returned likelihood {value!r}, expected one of {names}", field="dataset.name") from error
