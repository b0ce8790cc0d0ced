"""What a job needs of this service: files of data sets, and plug-ins."""

from __future__ import annotations

from pathlib import Path

from ewc_core.errors import DatasetUnavailable, SpecError
from ewc_core.specs import (
    AnyTaskSpec,
    AtariTask,
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


def require_dataset(task: TaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Check that the task's data set can be had here; `field` is where the spec names it.

    Raises:
        DatasetUnavailable: files of it are missing.
        SpecError: it is a plug-in's, and no installed package offers it.
    """
    if isinstance(task.dataset, PluginDataset):
        _require_plugin(TASK_SOURCE_PLUGINS, task.dataset.name, field=f"{field}.name")
    missing = dataset_files_missing(task.dataset, data_dir)
    if missing:
        where = "the service has no EWC_DATA_DIR" if data_dir is None else "they are not in the service's EWC_DATA_DIR"
        raise DatasetUnavailable(
            f"data set {dataset_title(task.dataset)!r} needs the files {', '.join(missing)}, but {where}", field=field
        )


def _require_plugin(group: str, name: str, *, field: str) -> None:
    installed = installed_plugins(group)
    if name not in installed:
        known = ", ".join(installed) or "none"
        raise SpecError(f"no installed package has a plug-in {name!r} of group {group!r}; installed: {known}", field=field)
