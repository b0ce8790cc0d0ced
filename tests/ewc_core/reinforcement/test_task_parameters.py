"""Biases and gains of its own for every task, over shared weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.networks.q_network import QNetwork, build_q_network
from ewc_core.reinforcement.task_parameters import TaskParameters
from ewc_core.seeding import generator
from ewc_core.specs.agent import QConvSpec

SHAPE = (1, 5, 5)


def _network() -> QNetwork:
    spec = QConvSpec(kind="conv", channels=2, hidden_size=4)
    return build_q_network(spec, input_shape=SHAPE, num_actions=3, generator=generator(0, "network"))


def _train(tasks: TaskParameters, seed: int) -> None:
    tasks.parameters.values.add_(torch.randn(tasks.parameters.values.shape, generator=generator(seed)), alpha=0.1)


def _output(network: QNetwork) -> Tensor:
    with torch.no_grad():
        result: Tensor = network(torch.randn(2, *SHAPE, generator=generator(9)))
    return result


def test_the_biases_and_gains_of_a_task_stay_bit_identical_while_another_is_trained() -> None:
    tasks = TaskParameters(_network())
    _train(tasks, 1)
    own = tasks.of(0)
    tasks.select(1)
    for seed in range(2, 6):
        _train(tasks, seed)
    assert torch.equal(tasks.of(0), own)
    tasks.select(0)
    assert torch.equal(tasks.of(0), own)


def test_what_a_task_gives_changes_with_the_shared_weights_only() -> None:
    network = _network()
    tasks = TaskParameters(network)
    _train(tasks, 1)
    before = _output(network)
    shared = {name: value.clone() for name, value in tasks.parameters.named().items() if name in tasks.shared_names}

    tasks.select(1)
    _train(tasks, 2)
    for name, view in tasks.parameters.layout.split(tasks.parameters.values).items():
        if name in shared:
            view.copy_(shared[name])  # as if only the other task's biases and gains had been trained
    tasks.select(0)
    assert torch.equal(_output(network), before)

    tasks.parameters.layout.split(tasks.parameters.values)[tasks.shared_names[0]].add_(0.1)
    assert not torch.equal(_output(network), before)


def test_a_new_task_begins_with_bias_0_and_gain_1_whatever_the_others_have_come_to() -> None:
    network = _network()
    tasks = TaskParameters(network)
    _train(tasks, 1)
    tasks.select(5)
    for name, value in tasks.parameters.named().items():
        if name not in tasks.shared_names:
            assert bool((value == (1.0 if name.endswith("gain") else 0.0)).all()), name


def test_a_task_can_be_put_on_for_a_while() -> None:
    network = _network()
    tasks = TaskParameters(network)
    _train(tasks, 1)
    first = _output(network)
    tasks.select(1)
    fresh, before = _output(network), tasks.state()
    with tasks.temporarily(0):
        assert torch.equal(_output(network), first)
    with tasks.temporarily(7):
        assert torch.equal(_output(network), fresh)  # never trained, as task 1 is not yet
    after = tasks.state()
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not torch.equal(first, fresh)


def test_its_state_goes_on_with_every_task() -> None:
    tasks, other = TaskParameters(_network()), TaskParameters(_network())
    for label in (0, 3, 1):
        tasks.select(label)
        _train(tasks, label)
    other.load_state(tasks.state())
    assert other.label == 1
    for label in (0, 3, 1):
        assert torch.equal(other.of(label), tasks.of(label))
    for name in ("own.x", "own.4", "strange"):
        with pytest.raises(StateFormatError, match=name):
            other.load_state({**tasks.state(), name: torch.zeros(1)})
    with pytest.raises(StateFormatError, match="parameters"):
        other.load_state({})
