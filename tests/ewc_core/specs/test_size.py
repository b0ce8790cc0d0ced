"""What a job will need, in closed form: copies of the parameters, whose number is chosen so large that nothing else counts."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from ewc_core.networks import build_network
from ewc_core.networks.q_network import build_q_network
from ewc_core.specs import JOB_SPEC, PluginNetworkSpec, ReinforcementSpec, SupervisedSpec
from ewc_core.specs.agent import DQNNetworkSpec, QConvSpec, QMLPSpec
from ewc_core.specs.limits import NO_LIMITS, JobSize
from ewc_core.specs.network import ConvSpec, MLPSpec
from ewc_core.specs.size import (
    CHUNK_BYTES,
    KEEPS_WEIGHT,
    PROCESS_BYTES,
    least_parameters,
    least_reinforcement_size,
    least_supervised_size,
    num_units,
    reinforcement_size,
    supervised_size,
)

MANY = 10**12
COPY = 4 * MANY
# A network of one hidden layer has nearly all of its parameters in the first layer: its gradient is a copy.
TASKS = [{"kind": "plain", "dataset": {"kind": "arrays", "path": f"{k}.npz"}} for k in range(3)]
EWC = {"kind": "ewc", "ewc_lambda": 1.0}


def _supervised(**changes: Any) -> SupervisedSpec:
    return SupervisedSpec.model_validate({"network": {"hidden_sizes": [10]}, "method": EWC, "tasks": TASKS, **changes})


def _games(**changes: Any) -> ReinforcementSpec:
    spec = {
        "kind": "reinforcement",
        "network": {"kind": "mlp", "hidden_sizes": [10]},
        "agent": {"preset": "small"},
        "method": EWC,
        "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": k} for k in (1, 2)],
        "schedule": {"kind": "explicit", "num_steps": 500, "visits": [{"task": 0}, {"task": 1}, {"task": 0}]},
        **changes,
    }
    found = JOB_SPEC.validate_python(spec)
    assert isinstance(found, ReinforcementSpec)
    return found


def _copies(num_bytes: int) -> float:
    return round(num_bytes / COPY, 3)


def _size(spec: SupervisedSpec, **changes: int) -> JobSize:
    return supervised_size(spec, **{"num_parameters": MANY, "snapshots_per_job": 100, **changes})


@pytest.mark.parametrize(
    ("changes", "memory", "disk"),
    [
        # parameters, gradient, two moments, precision, centre, the gradient of a layer; 3 x (Fisher, anchor, snapshot), a point
        ({}, 7, 3 * 3 + 3),
        # a network that steps without state: the consolidation takes more
        ({"training": {"optimiser": "sgd"}}, 7, 3 * 3 + 1),
        ({"training": {"optimiser": "rmsprop"}}, 7, 3 * 3 + 2),
        ({"training": {"optimiser": "sgd", "momentum": 0.9}, "method": {"kind": "naive"}}, 4, 3 * 2 + 2),
        ({"controls": ["naive", "joint"]}, 7 + 2 * 4, 3 * (2 + 3) - 2 + 3 * 3),
        # start and sum of the path, and beside a step what it changes
        ({"method": {"kind": "si"}}, 6 + 2 + 2, 3 * 3 + 5),
        ({"method": {"kind": "l2", "ewc_lambda": 1.0, "penalty_step": "explicit"}}, 6 + 2, 3 * 3 + 3),
        (
            {"method": {"kind": "dropout"}, "training": {"num_validation_examples": 5}},
            4 + 1 + 1,
            3 * 2 + 4,
        ),
        # nothing ties one task
        ({"tasks": TASKS[:1], "method": {"kind": "mas"}}, 6, 3 + 3),
    ],
)
def test_copies_of_the_parameters_in_memory_and_on_disk(changes: dict[str, Any], memory: float, disk: float) -> None:
    size = _size(_supervised(**changes))
    assert (_copies(size.memory_bytes), _copies(size.disk_bytes)) == (memory, disk)
    assert size.num_parameters == MANY


def test_only_so_many_snapshots_are_kept() -> None:
    assert _copies(_size(_supervised(), snapshots_per_job=1).disk_bytes) == 3 * 2 + 1 + 3


def test_a_network_that_is_not_large_keeps_the_weight_of_its_proximal_step_in_memory_and_in_a_resume_point() -> None:
    small, large = (_size(_supervised(), num_parameters=num) for num in (KEEPS_WEIGHT, KEEPS_WEIGHT + 1))
    assert small.memory_bytes - large.memory_bytes == pytest.approx(4 * KEEPS_WEIGHT, abs=64)
    assert small.disk_bytes - large.disk_bytes == pytest.approx(4 * KEEPS_WEIGHT, abs=64)


def test_data_count_three_times_while_they_are_read() -> None:
    assert _size(_supervised(), data_bytes=1000).memory_bytes - _size(_supervised()).memory_bytes == 3000


@pytest.mark.parametrize(
    ("changes", "memory", "disk"),
    [
        # online, target, gradient, two moments, precision, centre; 2 Fishers and anchors, and copies; the Fisher as it is summed
        # 3 snapshots and a point of 4, one constraint of each snapshot, those of a point, and checkpoints
        ({}, 3 + 2 + 2 + 4 * 2 + 4, 4 * 4 + 3 * 2 + 2 * 2 + 3 * 3),
        ({"controls": ["naive", "independent"]}, 19 + 3 * 5, 4 * 4 * 4 + 3 * 2 + 2 * 2 + 3 * 3),
        ({"method": {"kind": "naive"}}, 5, 4 * 4 + 3),
    ],
)
def test_copies_of_the_parameters_of_agents(changes: dict[str, Any], memory: float, disk: float) -> None:
    size = reinforcement_size(_games(**changes), num_parameters=MANY, snapshots_per_job=100, snapshot_replay_bytes=0)
    assert (_copies(size.memory_bytes), _copies(size.disk_bytes)) == (memory, disk)


def test_replays_are_in_memory_as_far_as_they_are_played_and_on_disk_where_snapshots_keep_them() -> None:
    def size(keeps: int, **changes: Any) -> JobSize:
        return reinforcement_size(_games(**changes), num_parameters=0, snapshots_per_job=100, snapshot_replay_bytes=keeps)

    longer = {"schedule": {"kind": "explicit", "num_steps": 500, "visits": [{"task": 0}, {"task": 1}, {"task": 1}]}}
    assert size(0, **longer).memory_bytes == size(0).memory_bytes
    twice = {"schedule": {"kind": "explicit", "num_steps": 1000, "visits": [{"task": 0}, {"task": 1}, {"task": 0}]}}
    assert size(0, **twice).memory_bytes - size(0).memory_bytes == 3 * 500 * (50 + 7)
    each = 8 * (2500 + 312) * (50 + 7)
    assert size(2 * each).disk_bytes - size(0).disk_bytes == 3 * each
    assert size(2 * each - 1).disk_bytes - size(0).disk_bytes == each, "the first visit knows one game"


@pytest.mark.parametrize(
    ("network", "shape"),
    [(MLPSpec(hidden_sizes=[7, 5]), (1, 8, 8)), (ConvSpec(kind="conv", channels=[3, 4], hidden_sizes=[5]), (2, 8, 8))],
)
def test_all_parameters_are_known_where_inputs_and_outputs_are(network: Any, shape: tuple[int, ...]) -> None:
    made = build_network(network, input_shape=shape, num_outputs=3, generator=torch.Generator())
    assert least_parameters(network, input_shape=shape, num_outputs=3) == sum(it.numel() for it in made.parameters())


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (QMLPSpec(kind="mlp", hidden_sizes=[7, 5]), (2, 10, 5)),
        (QConvSpec(kind="conv", channels=3, hidden_size=6), (1, 10, 10, 10)),
        (DQNNetworkSpec(kind="dqn"), (4, 84, 84)),
        (DQNNetworkSpec(kind="dqn", size="standard"), (4, 84, 84)),
    ],
)
def test_all_parameters_of_an_agent_are_known_where_frames_and_actions_are(network: Any, shape: tuple[int, ...]) -> None:
    made = build_q_network(network, input_shape=shape, num_actions=3, generator=torch.Generator())
    assert least_parameters(network, input_shape=shape, num_outputs=3) == sum(it.numel() for it in made.parameters())
    assert least_parameters(network) < least_parameters(network, input_shape=shape)


def test_of_other_networks_the_layers_between_hidden_sizes_are_known_and_of_a_plug_in_nothing() -> None:
    assert least_parameters(MLPSpec(hidden_sizes=[7, 5])) == 8 * 5
    assert least_parameters(ConvSpec(kind="conv", channels=[3, 4], hidden_sizes=[5])) == (9 * 3 + 1) * 4
    assert least_parameters(PluginNetworkSpec(kind="plugin", name="x"), input_shape=(3,), num_outputs=2) == 0
    assert least_supervised_size(_supervised(network={"hidden_sizes": [7, 5]}), NO_LIMITS).num_parameters == 8 * 5
    digits = _supervised(network={"hidden_sizes": [7]}, tasks=[{"dataset": "digits"}])
    assert least_supervised_size(digits, NO_LIMITS).num_parameters == 65 * 7 + 8 * 10
    assert least_reinforcement_size(_games(), NO_LIMITS).num_parameters == 50 * 10 + 2 * 10


def test_a_minibatch_has_no_more_examples_than_the_data() -> None:
    """A batch size that means "all of them" is no reason to refuse a job."""

    def passing(batch_size: int, **known: int) -> int:
        spec = _supervised(network={"hidden_sizes": [16384]}, training={"batch_size": batch_size}, method={"kind": "naive"})
        return _size(spec, num_parameters=0, **known).memory_bytes - PROCESS_BYTES

    assert (
        passing(65536, num_examples=40) == passing(40, num_examples=10**6) - CHUNK_BYTES + 16 * 16384 * 40 == 2 * 16 * 16384 * 40
    )
    assert passing(65536) < passing(65536, num_examples=40)
    digits = _supervised(training={"batch_size": 65536}, tasks=[{"dataset": "digits"}], network={"hidden_sizes": [16384]})
    assert least_supervised_size(digits, NO_LIMITS).memory_bytes < 2**30


def test_units_of_images_that_users_brought_count_and_so_do_squares_of_outputs_for_the_exact_fisher() -> None:
    conv = ConvSpec(kind="conv", channels=[8, 4], hidden_sizes=[5])
    assert num_units(conv, (3, 64, 64)) == 3 * 64 * 64 + 8 * 64 * 64 + 4 * 32 * 32 + 5
    naive = _supervised(method={"kind": "naive"}, training={"batch_size": 1000})
    more, fewer = (_size(naive, num_parameters=0, num_examples=1000, units=units).memory_bytes for units in (10**6, 10**5))
    assert more - fewer == 16 * 1000 * 9 * 10**5
    exact, sampled = (
        _size(
            _supervised(method={**EWC, "fisher_estimator": name}), num_parameters=0, num_examples=100, units=0, num_outputs=10**4
        )
        for name in ("exact", "rademacher")
    )
    assert exact.memory_bytes - sampled.memory_bytes == 12 * 10**8


def test_a_size_is_told_without_torch() -> None:
    program = "import sys; import ewc_core.specs.size; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
