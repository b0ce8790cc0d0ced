"""What a job will need, before it runs: memory of its trainer, and bytes of its record. Estimates: within a half, as a rule.

A copy is 4 bytes a parameter. Memory is the most of two moments, both over all networks of the job: a step of training,
and the consolidation at the end of a visit, when gradients, optimisers and penalties are gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ewc_core.specs.agent import DQN_SIZES, DQNNetworkSpec, QConvSpec, QMLPSpec, QNetworkSpec, replay_bytes
from ewc_core.specs.datasets import dataset_info
from ewc_core.specs.environments import AtariTask, frame_bytes, frame_shape
from ewc_core.specs.limits import PROCESS_BYTES, JobLimits, JobSize
from ewc_core.specs.method import (
    DropoutMethod,
    EwcMethod,
    FisherEstimator,
    L2Method,
    MasMethod,
    NaiveMethod,
    OnlineEwcMethod,
    PenaltyStep,
    SiMethod,
)
from ewc_core.specs.network import ConvSpec, NetworkSpec, PluginNetworkSpec, count_parameters
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.specs.supervised import SupervisedSpec, num_outputs_needed
from ewc_core.specs.tasks import task_shape
from ewc_core.specs.training import OptimiserName

KEEPS_STRENGTHS = 2**23
"""Up to so many parameters what the adaptive weight is made of is kept (64 MiB at most), which spares two thirds of the time that
making it takes; larger networks have no memory to spare for it."""
KEEPS_WEIGHT = 50_000_000
"""Up to so many parameters the adaptive weight itself is kept (200 MB at most): networks of early versions had no more, and
their jobs go on with their bits. Beyond, it is another copy of the network in memory; made anew in each step it takes about
an eighth of its time."""

MIB = 2**20
CHUNK_BYTES = 80 * MIB
"""What examples take that go through a large network together, when it is evaluated or its Fisher is estimated."""
ATARI_BYTES = 60 * MIB
"""The emulators."""
RECORD_BYTES = 400 * 1024
"""Tables and indices without a row."""
VISIT_BYTES = 24 * 1024
"""Rows of one visit: events, curves, descriptions of what is stored."""
CELL_BYTES = 300
"""One score of the matrix, with its index."""
READ_TIMES = 3
"""How many times a file of data is in memory while it is read: bytes, arrays, tensors."""
PASS_NUMBERS = 4
"""Numbers in memory for each unit of a network and each example of a minibatch: outputs, what ReLU keeps, their gradients."""

Constrained = EwcMethod | OnlineEwcMethod | L2Method | SiMethod | MasMethod


def supervised_size(
    spec: SupervisedSpec,
    *,
    num_parameters: int,
    data_bytes: int = 0,
    num_examples: int | None = None,
    units: int | None = None,
    num_outputs: int | None = None,
    snapshots_per_job: int,
) -> JobSize:
    """The size of a job that learns from data.

    Of built-in data sets all is known here; of what users brought, `data_bytes` are the bytes, `num_examples` the training
    examples of the task with most, `units` the numbers that go from layer to layer for one example (None: as far as the spec
    alone says), and `num_outputs` the outputs of a task (None: few). Tasks that are announced later add to the disk only.
    """
    copy, num_visits, num_networks = 4 * num_parameters, len(spec.planned_visits), len(spec.methods)
    largest = _largest_layer(spec.network, num_parameters)
    copies = max(_copies_in_training(spec, num_parameters, largest), _copies_in_consolidation(spec, largest))
    infos = {info.name: info for task in spec.tasks if (info := dataset_info(task.dataset)) is not None}
    data = sum((info.num_training_examples + info.num_test_examples) * (info.num_features + 8) for info in infos.values())
    if num_examples is None:  # where nothing is known, the least
        num_examples = max((info.num_training_examples for info in infos.values()), default=1)
    if units is None:
        shape = task_shape(spec.tasks[0])
        units = num_units(spec.network, None if shape is None else shape[0])
    pass_bytes, batch = 4 * PASS_NUMBERS * units, min(spec.training.batch_size, num_examples)
    joint = len(spec.tasks) - 1 if "joint" in spec.methods else 0  # which go through together as far as a chunk takes them
    chunk = min(CHUNK_BYTES, pass_bytes * max(min(512, num_examples), joint * batch))
    passing = pass_bytes * batch + max(chunk, _exact_fisher_bytes(spec, num_outputs or 0, num_examples))
    memory = PROCESS_BYTES + data + READ_TIMES * data_bytes + passing + math.ceil(copies * copy)

    checkpoints = num_visits * (2 if isinstance(spec.method, Constrained) else 1)
    num_kept = min(num_visits, snapshots_per_job)
    snapshots = num_kept * num_networks
    if num_kept == num_visits:  # in the first visit nothing tells networks apart but dropout: their bytes are stored once
        snapshots -= num_networks - (1 + (isinstance(spec.method, DropoutMethod) and bool(spec.controls)))
    disk = math.ceil((checkpoints + snapshots + _copies_in_a_resume_point(spec, num_parameters)) * copy)
    return JobSize(num_parameters, memory, disk + _bytes_of_rows(num_visits, len(spec.tasks), num_networks))


def reinforcement_size(
    spec: ReinforcementSpec, *, num_parameters: int, snapshots_per_job: int, snapshot_replay_bytes: int
) -> JobSize:
    """The size of a job that learns games. Every game counts as recognised as one. Replays of frames of which only the
    environment knows the size count without the frames."""
    copy, num_visits, num_tasks = 4 * num_parameters, len(spec.planned_visits), len(spec.tasks)
    kinds = [kind for kind in spec.methods for _ in range(num_tasks if kind == "independent" else 1)]
    are_held = [not isinstance(spec.method, NaiveMethod) and kind not in ("naive", "independent") for kind in kinds]
    num_held, is_adam = sum(are_held), spec.agent.optimiser == "adam"
    # Online and target network, gradient, optimiser; precision, centre, and what the proximal step keeps.
    agent = 3 + (2 if is_adam else 3)
    penalty = 2 + (_kept_copies(num_parameters) if is_adam else 1)
    # Fishers and anchors stay in memory, and a resume point takes copies of them; a Fisher is added up in float64.
    copies = len(kinds) * agent + num_held * (penalty + 4 * num_tasks) + 4 * (num_held > 0)
    emulators = ATARI_BYTES if any(isinstance(task, AtariTask) for task in spec.tasks) else 0
    written = _bytes_played(spec)
    memory = PROCESS_BYTES + emulators + math.ceil(copies * copy) + len(spec.methods) * sum(written.values())

    # Snapshots have all constraints in them, of which only that of the task that was left is another one.
    num_kept = min(num_visits, snapshots_per_job)
    state = len(kinds) * 4 + num_held * (is_adam and num_parameters <= KEEPS_WEIGHT)
    checkpoints = num_visits * (3 if are_held[0] else 1)
    all_constraints = 2 * num_held * num_tasks
    stored = num_kept * (state + 2 * num_held) + checkpoints + state + all_constraints
    disk = math.ceil(stored * copy) + len(spec.methods) * sum(_replay_bytes_kept(spec, snapshot_replay_bytes)[-num_kept:])
    return JobSize(num_parameters, memory, disk + _bytes_of_rows(num_visits, num_tasks, len(spec.methods)))


def least_parameters(
    network: NetworkSpec | QNetworkSpec, *, input_shape: tuple[int, ...] | None = None, num_outputs: int | None = None
) -> int:
    """Parameters that a network has at least: all of it where shape and outputs are known, else the layers between its hidden
    sizes; 0 for a plug-in's. `input_shape` is that of an example, or of a stack of frames [history, *frame]."""
    if isinstance(network, PluginNetworkSpec):
        return 0
    if isinstance(network, QMLPSpec | QConvSpec | DQNNetworkSpec):
        return sum(inputs * outputs + 2 * outputs for inputs, outputs in _q_layers(network, input_shape, num_outputs))
    if input_shape is not None and num_outputs is not None:
        try:
            return count_parameters(network, input_shape=input_shape, num_outputs=num_outputs) or 0
        except ValueError:  # no images, or too small ones: the job is refused for that
            return 0
    inner = sum((inputs + 1) * outputs for inputs, outputs in pairwise(network.hidden_sizes))
    channels = network.channels if isinstance(network, ConvSpec) else []
    return inner + sum((9 * inputs + 1) * outputs for inputs, outputs in pairwise(channels))


def least_supervised_size(spec: SupervisedSpec, limits: JobLimits) -> JobSize:
    """`supervised_size` of the least network, whatever the data of users are."""
    shape = task_shape(spec.tasks[0])
    outputs = num_outputs_needed(spec.heads, spec.tasks)
    num_parameters = least_parameters(spec.network, input_shape=None if shape is None else shape[0], num_outputs=outputs)
    return supervised_size(spec, num_parameters=num_parameters, snapshots_per_job=limits.snapshots_per_job)


def least_reinforcement_size(spec: ReinforcementSpec, limits: JobLimits) -> JobSize:
    """`reinforcement_size` of the least network, whatever only the environments know."""
    frame = frame_shape(spec.tasks[0])
    num_parameters = least_parameters(spec.network, input_shape=None if frame is None else (spec.agent.history, *frame))
    return reinforcement_size(
        spec,
        num_parameters=num_parameters,
        snapshots_per_job=limits.snapshots_per_job,
        snapshot_replay_bytes=limits.snapshot_replay_bytes,
    )


def _copies_in_training(spec: SupervisedSpec, num_parameters: int, largest: float) -> float:
    """Parameters, gradient and optimiser of every network; the method's penalty; the gradient of a layer as it is made."""
    method, optimiser = spec.method, spec.training.optimiser
    each = 2 + {OptimiserName.ADAM: 2, OptimiserName.RMSPROP: 2, OptimiserName.SGD: int(spec.training.momentum > 0.0)}[optimiser]
    copies, passing = float(each * len(spec.methods)), largest
    if isinstance(method, Constrained) and _is_tied(spec):
        copies += 2  # precision and centre
        if method.penalty_step is PenaltyStep.EXPLICIT:
            passing = max(passing, 2.0)  # the data gradient without the penalty's, where both are measured
        else:
            copies += 1 if optimiser is OptimiserName.SGD else _kept_copies(num_parameters)
    if isinstance(method, SiMethod):
        copies, passing = copies + 2, max(passing, 2.0)
    return copies + passing + isinstance(method, DropoutMethod)


def _copies_in_consolidation(spec: SupervisedSpec, largest: float) -> float:
    """The parameters of every network, and what the method makes of its own."""
    match spec.method:
        case EwcMethod() | OnlineEwcMethod():
            own = 5.0 + largest  # Fisher, anchor, precision, and two scores, from which comes the share that is frozen
        case SiMethod():
            own = 7.0
        case MasMethod():
            own = 5.0
        case L2Method():
            own = 3.0
        case _:
            own = 1.0
    return len(spec.methods) + own


def _copies_in_a_resume_point(spec: SupervisedSpec, num_parameters: int) -> int:
    method, optimiser = spec.method, spec.training.optimiser
    stored = {OptimiserName.ADAM: 2, OptimiserName.RMSPROP: 1, OptimiserName.SGD: int(spec.training.momentum > 0.0)}[optimiser]
    own = 2 * isinstance(method, SiMethod) + isinstance(method, DropoutMethod)
    if isinstance(method, Constrained) and _is_tied(spec) and method.penalty_step is PenaltyStep.PROXIMAL:
        own += optimiser is not OptimiserName.SGD and num_parameters <= KEEPS_WEIGHT
    return (1 + stored) * len(spec.methods) + own


def _is_tied(spec: SupervisedSpec) -> bool:
    return len(spec.planned_visits) > 1 or spec.is_open


def _kept_copies(num_parameters: int) -> int:
    """What an adaptive proximal step keeps: its weight, and what that is made of."""
    return (num_parameters <= KEEPS_WEIGHT) + 2 * (num_parameters <= KEEPS_STRENGTHS)


def _bytes_of_rows(num_visits: int, num_tasks: int, num_networks: int) -> int:
    return RECORD_BYTES + num_visits * (VISIT_BYTES + num_networks * num_tasks * CELL_BYTES)


def _bytes_played(spec: ReinforcementSpec) -> dict[int, int]:
    """What one agent writes into the replay of each task, until the rings are full."""
    sizes = [frame_bytes(task) or 0 for task in spec.tasks]
    written = dict.fromkeys(range(len(sizes)), 0)
    for segment in spec.segments:
        written[segment.task] += segment.num_steps * (sizes[segment.task] + 7)
    return {task: min(num, replay_bytes(spec.agent, frame_bytes=sizes[task])) for task, num in written.items()}


def _replay_bytes_kept(spec: ReinforcementSpec, snapshot_replay_bytes: int) -> list[int]:
    """What the replays of one agent add to the snapshot of each visit: the chunks that the visit has changed, where all files
    together are kept."""
    seen: dict[int, int] = {}
    kept = []
    for segment in spec.segments:
        size = frame_bytes(spec.tasks[segment.task]) or 0
        whole = seen[segment.task] = replay_bytes(spec.agent, frame_bytes=size)
        are_kept = len(spec.methods) * sum(seen.values()) <= snapshot_replay_bytes
        kept.append(min(whole, segment.num_steps * (size + 7) + spec.agent.num_envs * 4 * MIB) if are_kept else 0)
    return kept


def _largest_layer(network: NetworkSpec, num_parameters: int) -> float:
    """Its share of the network; a half of a plug-in's."""
    if isinstance(network, PluginNetworkSpec) or num_parameters == 0:
        return 0.5
    inner = [inputs * outputs for inputs, outputs in pairwise(network.hidden_sizes)]
    if isinstance(network, ConvSpec):
        inner += [9 * inputs * outputs for inputs, outputs in pairwise(network.channels)]
    return max([*inner, num_parameters - sum(inner)]) / num_parameters


def num_units(network: NetworkSpec, input_shape: tuple[int, ...] | None) -> int:
    """Numbers that go from layer to layer for one example, as far as is known; 0 for a plug-in's network."""
    if isinstance(network, PluginNetworkSpec):
        return 0
    units = sum(network.hidden_sizes) + (0 if input_shape is None else math.prod(input_shape))
    if isinstance(network, ConvSpec) and input_shape is not None:
        area = math.prod(input_shape[-2:])
        units += sum(channels * (area >> 2 * depth) for depth, channels in enumerate(network.channels))
    return units


def _exact_fisher_bytes(spec: SupervisedSpec, num_outputs: int, num_examples: int) -> int:
    """What is backpropagated for the exact Fisher of a chunk: for each example a square of the outputs, in float64 and as the
    network's own."""
    if not isinstance(spec.method, EwcMethod | OnlineEwcMethod) or spec.method.fisher_estimator is not FisherEstimator.EXACT:
        return 0
    square = num_outputs**2
    return 12 * square * min(512, num_examples, max(1, CHUNK_BYTES // (4 * max(1, square))))


def _q_layers(network: QNetworkSpec, input_shape: tuple[int, ...] | None, num_actions: int | None) -> list[tuple[int, int]]:
    """Inputs of one unit and units of each layer that is known."""
    first = None if input_shape is None else math.prod(input_shape)
    if isinstance(network, QMLPSpec):
        sizes = [first, *network.hidden_sizes, num_actions]
    elif isinstance(network, QConvSpec):
        if input_shape is None or len(input_shape) < 3:
            return [] if num_actions is None else [(network.hidden_size, num_actions)]
        height, width = (max(0, side - 2) for side in input_shape[-2:])
        channels = math.prod(input_shape[:-2])
        sizes = [network.channels * height * width, network.hidden_size, num_actions]
        return [(9 * channels, network.channels), *_known_pairs(sizes)]
    else:
        maps, hidden = DQN_SIZES[network.size]
        kernels = zip((8, 4, 3), (1 if input_shape is None else input_shape[0], *maps), maps, strict=False)
        convolutions = [(kernel * kernel * inputs, outputs) for kernel, inputs, outputs in kernels]
        return [*convolutions, *_known_pairs([maps[-1] * 7 * 7, hidden, num_actions])]
    return _known_pairs(sizes)


def _known_pairs(sizes: Sequence[int | None]) -> list[tuple[int, int]]:
    return [(inputs, outputs) for inputs, outputs in pairwise(sizes) if inputs is not None and outputs is not None]
