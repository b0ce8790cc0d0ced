"""What a supervised job will take, once its data are known."""

from __future__ import annotations

from math import ceil

from torch import nn

from ewc_core.errors import SpecError
from ewc_core.fisher.memory import bytes_at_once
from ewc_core.random_states import random_states_kept
from ewc_core.specs import PluginNetworkSpec, SupervisedSpec, count_parameters, dataset_info
from ewc_core.specs.limits import JobLimits, JobSize
from ewc_core.specs.size import PASS_NUMBERS, num_units, supervised_size
from ewc_core.supervised.fresh_learners import fresh_network
from ewc_core.supervised.task_book import TaskBook


def size_of(spec: SupervisedSpec, tasks: TaskBook, limits: JobLimits) -> JobSize:
    """The estimate of `supervised_size` for the network and the data of the job. A plug-in's network is made for it.

    Raises:
        SpecError: the network does not suit the inputs.
    """
    is_plugin, numbers = isinstance(spec.network, PluginNetworkSpec), range(len(tasks.specs))
    network = fresh_network(spec, tasks) if is_plugin else None
    heads = [tasks.view(index, seen=numbers[: index + 1]) for index in numbers]
    return supervised_size(
        spec,
        num_parameters=_num_parameters(spec, tasks) if network is None else sum(it.numel() for it in network.parameters()),
        data_bytes=_bytes_of_users(tasks),
        num_examples=max(tasks.data(index).num_examples("train") for index in numbers),
        units=num_units(spec.network, tasks.input_shape) if network is None else _units_of(network, tasks),
        num_outputs=max(head.stop - head.start for head in heads),
        snapshots_per_job=limits.snapshots_per_job,
    )


def _bytes_of_users(tasks: TaskBook) -> int:
    """Bytes of all examples that are not built in; tasks on one data set share them."""
    known = enumerate(tasks.specs)
    sources = {id(source): source for i, task in known if dataset_info(task.dataset) is None for source in [tasks.data(i).source]}
    return sum(tensor.nbytes for source in sources.values() for tensor in source.tensors().values())


def _units_of(network: nn.Module, tasks: TaskBook) -> int:
    """As `num_units`, of a plug-in's network, by what a pass keeps; 0 where it fails, which the rehearsal tells."""
    examples, _ = tasks.data(0).read_range("train", 0, min(3, tasks.data(0).num_examples("train")))
    try:
        with random_states_kept():
            return ceil(bytes_at_once(network, examples) / (4 * PASS_NUMBERS))
    except Exception:  # noqa: BLE001 (whatever a user's network raises)
        return 0


def _num_parameters(spec: SupervisedSpec, tasks: TaskBook) -> int:
    try:
        counted = count_parameters(spec.network, input_shape=tasks.input_shape, num_outputs=tasks.heads.num_outputs)
    except ValueError as error:
        raise SpecError(str(error), field="network") from error
    return counted or 0
