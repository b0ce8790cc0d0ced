"""What a job needs of this service: files of data sets, and plug-ins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ewc_core.errors import DatasetUnavailable, SpecError
from ewc_core.mistakes import Mistakes
from ewc_core.specs import (
    AnyTaskSpec,
    DatasetSpec,
    JobSpec,
    PluginDataset,
    PluginNetworkSpec,
    dataset_files_missing,
    dataset_title,
)
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.network import NETWORK_PLUGINS
from ewc_core.specs.plugins import installed_plugins
from store.settings import StoreSettings

_MOST_TASKS_NAMED = 10


def require_needs(spec: JobSpec, settings: StoreSettings, *, field: str = "") -> None:
    """Check what a job needs of this service: the files of its data sets, plug-ins, and memory and disk as far as its spec
    alone tells. `field` is where the spec stands.

    Raises:
        SpecError: all that is missing. DatasetUnavailable: files of data sets. JobTooLarge: the job would take more than one
            job may.
    """
    mistakes = Mistakes()
    for name, network in spec.networks_by_field.items():
        if isinstance(network, PluginNetworkSpec):
            with mistakes.noted():
                _require_plugin(NETWORK_PLUGINS, network.name, field=f"{field}{name}.name")
    _note_datasets(mistakes, spec.planned_tasks, settings.data_dir, field=f"{field}tasks")
    size = spec.least_size(settings.job_limits)
    if size is not None:
        with mistakes.noted():
            settings.job_limits.require(size, field=f"{field}network")
    mistakes.require_none()


def require_task(task: AnyTaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Check what a task needs of this service; `field` is where it stands.

    Raises:
        DatasetUnavailable: files of its data set are missing.
        SpecError: it is a plug-in's, and no installed package offers it.
    """
    dataset = task.needed_dataset
    if dataset is not None and (lacks := _missing(dataset, data_dir, field=f"{field}.dataset")):
        what = f"data set {dataset_title(dataset)!r} needs {lacks}; {_why(data_dir)}"
        raise DatasetUnavailable(what, field=f"{field}.dataset")


def _note_datasets(mistakes: Mistakes, tasks: Sequence[AnyTaskSpec], data_dir: Path | None, *, field: str) -> None:
    """All that is missing, with the tasks that need it."""
    numbers: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        dataset = task.needed_dataset
        with mistakes.noted():
            if dataset is not None and (lacks := _missing(dataset, data_dir, field=f"{field}.{index}.dataset")):
                numbers.setdefault(f"data set {dataset_title(dataset)!r} needs {lacks}", []).append(index)
    if numbers:
        parts = [f"{_tasks_text(found)}: {what}" for what, found in numbers.items()]
        first = min(min(found) for found in numbers.values())
        mistakes.note(DatasetUnavailable(f"{'; '.join(parts)}; {_why(data_dir)}", field=f"{field}.{first}.dataset"))


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
