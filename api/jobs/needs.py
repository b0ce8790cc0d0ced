"""What a job needs of this service: files of data sets, and plug-ins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ewc_core.errors import DatasetUnavailable, SpecError
from ewc_core.specs import (
    AnyTaskSpec,
    AtariTask,
    DatasetSpec,
    GymnasiumTask,
    NetworkSpec,
    PluginDataset,
    PluginNetworkSpec,
    TaskSpec,
    dataset_files_missing,
    dataset_title,
)
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.network import NETWORK_PLUGINS
from ewc_core.specs.plugins import installed_plugins

_MOST_TASKS_NAMED = 10


def require_network(network: NetworkSpec, *, field: str) -> None:
    """Raises SpecError, naming `field`, for a plug-in's network that no installed package offers."""
    if isinstance(network, PluginNetworkSpec):
        _require_plugin(NETWORK_PLUGINS, network.name, field=f"{field}.name")


def require_task(task: AnyTaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Check what a task needs of this service; a game's spec has been checked by itself.

    Raises:
        DatasetUnavailable, SpecError: as `require_dataset`.
    """
    if not isinstance(task, AtariTask | GymnasiumTask):
        require_dataset(task, data_dir, field=f"{field}.dataset")


def require_datasets(tasks: Sequence[TaskSpec], data_dir: Path | None, *, field: str) -> None:
    """Check that the data sets of all tasks can be had here; `field` is where the spec has its tasks.

    Raises:
        DatasetUnavailable: files of some are missing; the message names all of them, with their tasks.
        SpecError: one is a plug-in's, and no installed package offers it.
    """
    numbers: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        lacks = _missing(task.dataset, data_dir, field=f"{field}.{index}.dataset")
        if lacks:
            numbers.setdefault(f"data set {dataset_title(task.dataset)!r} needs {lacks}", []).append(index)
    if numbers:
        parts = [f"{_tasks_text(found)}: {what}" for what, found in numbers.items()]
        first = min(min(found) for found in numbers.values())
        raise DatasetUnavailable(f"{'; '.join(parts)}; {_why(data_dir)}", field=f"{field}.{first}.dataset")


def require_dataset(task: TaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Check that the task's data set can be had here; `field` is where the spec names it.

    Raises:
        DatasetUnavailable: files of it are missing.
        SpecError: it is a plug-in's, and no installed package offers it.
    """
    lacks = _missing(task.dataset, data_dir, field=field)
    if lacks:
        raise DatasetUnavailable(f"data set {dataset_title(task.dataset)!r} needs {lacks}; {_why(data_dir)}", field=field)


def _missing(dataset: DatasetSpec, data_dir: Path | None, *, field: str) -> str:
    """The files that are not there, in words; nothing when none is missing."""
    if isinstance(dataset, PluginDataset):
        _require_plugin(TASK_SOURCE_PLUGINS, dataset.name, field=f"{field}.name")
    files = dataset_files_missing(dataset, data_dir)
    return f"the {'file' if len(files) == 1 else 'files'} {', '.join(files)}" if files else ""


def _tasks_text(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_MOST_TASKS_NAMED]))
    more = f" and {len(numbers) - _MOST_TASKS_NAMED} more" if len(numbers) > _MOST_TASKS_NAMED else ""
    return f"task {shown}" if len(numbers) == 1 else f"tasks {shown}{more}"


def _why(data_dir: Path | None) -> str:
    return "the service has no EWC_DATA_DIR" if data_dir is None else "the service's EWC_DATA_DIR does not have what is named"


def _require_plugin(group: str, name: str, *, field: str) -> None:
    installed = installed_plugins(group)
    if name not in installed:
        known = ", ".join(installed) or "none"
        raise SpecError(f"no installed package has a plug-in {name!r} of group {group!r}; installed: {known}", field=field)
