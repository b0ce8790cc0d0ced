"""What a job needs of this service: files of data sets, and plug-ins."""

from __future__ import annotations

from pathlib import Path

from ewc_core.errors import DatasetUnavailable, SpecError
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


def require_needs(spec: JobSpec, data_dir: Path | None, *, field: str = "") -> None:
    """Check what a job needs of this service: the files of its data sets, and plug-ins. `field` is where its spec stands.

    Raises:
        DatasetUnavailable: files of a data set are missing.
        SpecError: a plug-in that no installed package offers.
    """
    for name, network in spec.networks_by_field.items():
        if isinstance(network, PluginNetworkSpec):
            _require_plugin(NETWORK_PLUGINS, network.name, field=f"{field}{name}.name")
    for index, task in enumerate(spec.planned_tasks):
        require_task(task, data_dir, field=f"{field}tasks.{index}")


def require_task(task: AnyTaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Check what a task needs of this service; `field` is where it stands.

    Raises:
        DatasetUnavailable: files of its data set are missing.
        SpecError: it is a plug-in's, and no installed package offers it.
    """
    if task.needed_dataset is not None:
        _require_dataset(task.needed_dataset, data_dir, field=f"{field}.dataset")


def _require_dataset(dataset: DatasetSpec, data_dir: Path | None, *, field: str) -> None:
    if isinstance(dataset, PluginDataset):
        _require_plugin(TASK_SOURCE_PLUGINS, dataset.name, field=f"{field}.name")
    missing = dataset_files_missing(dataset, data_dir)
    if missing:
        where = "the service has no EWC_DATA_DIR" if data_dir is None else "they are not in the service's EWC_DATA_DIR"
        raise DatasetUnavailable(
            f"data set {dataset_title(dataset)!r} needs the files {', '.join(missing)}, but {where}", field=field
        )


def _require_plugin(group: str, name: str, *, field: str) -> None:
    installed = installed_plugins(group)
    if name not in installed:
        known = ", ".join(installed) or "none"
        raise SpecError(f"no installed package has a plug-in {name!r} of group {group!r}; installed: {known}", field=field)
