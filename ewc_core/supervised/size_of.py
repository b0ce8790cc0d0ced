"""What a supervised job will take, once its data are known."""

from __future__ import annotations

from ewc_core.errors import SpecError
from ewc_core.specs import PluginNetworkSpec, SupervisedSpec, count_parameters, dataset_info
from ewc_core.specs.limits import JobLimits, JobSize
from ewc_core.specs.size import supervised_size
from ewc_core.supervised.fresh_learners import fresh_network
from ewc_core.supervised.task_book import TaskBook


def size_of(spec: SupervisedSpec, tasks: TaskBook, limits: JobLimits) -> JobSize:
    """The estimate of `supervised_size` for the network and the data of the job. A plug-in's network is made for it.

    Raises:
        SpecError: the network does not suit the inputs.
    """
    return supervised_size(
        spec,
        num_parameters=_num_parameters(spec, tasks),
        data_bytes=_bytes_of_users(tasks),
        snapshots_per_job=limits.snapshots_per_job,
    )


def _bytes_of_users(tasks: TaskBook) -> int:
    """Bytes of all examples that are not built in; tasks on one data set share them."""
    known = enumerate(tasks.specs)
    sources = {id(source): source for i, task in known if dataset_info(task.dataset) is None for source in [tasks.data(i).source]}
    return sum(tensor.nbytes for source in sources.values() for tensor in source.tensors().values())


def _num_parameters(spec: SupervisedSpec, tasks: TaskBook) -> int:
    if isinstance(spec.network, PluginNetworkSpec):
        return sum(parameter.numel() for parameter in fresh_network(spec, tasks).parameters())
    try:
        counted = count_parameters(spec.network, input_shape=tasks.input_shape, num_outputs=tasks.heads.num_outputs)
    except ValueError as error:
        raise SpecError(str(error), field="network") from error
    return counted or 0
