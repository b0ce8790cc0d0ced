"""The Fisher of a Q-network, each kind against a loop in float64."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
import torch
from torch import Tensor

from ewc_core.networks.q_network import QNetwork, build_q_network, shared_names
from ewc_core.reinforcement import fisher as q_fisher
from ewc_core.reinforcement.fisher import q_fisher_info, q_fisher_steps
from ewc_core.reinforcement.replay import Batch, Replay
from ewc_core.seeding import generator
from ewc_core.specs.agent import AgentSpec, QConvSpec, QFisherSpec, QMLPSpec, QNetworkSpec

NETWORKS: dict[str, tuple[QNetworkSpec, tuple[int, ...]]] = {
    "mlp": (QMLPSpec(kind="mlp", hidden_sizes=[6, 5]), (3,)),
    "conv": (QConvSpec(kind="conv", channels=3, hidden_size=4), (4, 5)),
}
AGENT = AgentSpec(history=2, num_envs=2, replay_capacity=200, min_history=2, batch_size=8, discount=0.9)
NUM_MINIBATCHES, SEED = 5, 11


@functools.cache
def _setting(name: str) -> tuple[QNetwork, Replay]:
    spec, shape = NETWORKS[name]
    network = build_q_network(spec, input_shape=(2, *shape), num_actions=3, generator=generator(0, "network"))
    with torch.no_grad():
        for number, (parameter_name, parameter) in enumerate(network.named_parameters()):
            if parameter_name not in shared_names(network):
                parameter.add_(torch.randn(parameter.shape, generator=generator(number)), alpha=0.3)
    random = np.random.default_rng(0)
    replay = Replay(capacity=200, num_envs=2, frame_shape=shape, frame_dtype=np.dtype(np.float32), history=2, folder=None)
    for _ in range(60):
        over = random.random(2) < 0.1
        frames = random.standard_normal((2, 2, *shape)).astype(np.float32)
        replay.append(frames[0], random.integers(3, size=2), random.standard_normal(2), over, over.copy(), frames[1])
    return network, replay


def _estimate(
    name: str, kind: str, *, seed: int = SEED, num_minibatches: int = NUM_MINIBATCHES, **fields: float
) -> dict[str, Tensor]:
    network, replay = _setting(name)
    spec = QFisherSpec.model_validate({"kind": kind, "num_minibatches": num_minibatches, **fields})
    steps = q_fisher_steps(network, replay, spec, agent=AGENT, seed=seed)
    done = 0
    while True:
        try:
            now, num = next(steps)
        except StopIteration as finished:
            assert done == num
            result: dict[str, Tensor] = finished.value
            return result
        assert done < now <= num == num_minibatches * AGENT.batch_size
        done = now


def _examples(name: str) -> Batch:
    """The transitions that `_estimate` draws."""
    _, replay = _setting(name)
    return replay.read(*replay.draw(NUM_MINIBATCHES * AGENT.batch_size, generator(SEED, "examples")))


def _gradients(network: QNetwork, value: Tensor) -> dict[str, Tensor]:
    named = dict(network.named_parameters())
    return dict(zip(named, torch.autograd.grad(value, list(named.values()), retain_graph=True), strict=True))


def _reference(name: str, kind: str, temperature: float = 1.0) -> dict[str, Tensor]:
    network = copy.deepcopy(_setting(name)[0]).double()
    batch = _examples(name)
    sums = {key: torch.zeros_like(parameter) for key, parameter in network.named_parameters()}
    num = len(batch.actions)
    for row in range(num):
        q_values = network(batch.states[row : row + 1].double())[0]
        weighted: list[tuple[float, Tensor]]
        if kind == "gaussian_all_actions":
            weighted = [(1.0, value) for value in q_values]
        elif kind == "gaussian_taken":
            weighted = [(1.0, q_values[batch.actions[row]])]
        else:
            log_policy = torch.log_softmax(q_values / temperature, dim=0)
            weighted = [(float(value.detach().exp()), value) for value in log_policy]
        for weight, value in weighted:
            for key, gradient in _gradients(network, value).items():
                sums[key] += weight * gradient.square() / num
    return {key: total if key in shared_names(network) else torch.zeros_like(total) for key, total in sums.items()}


def _assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], rtol: float = 1e-4) -> None:
    assert set(found) == set(expected)
    for key, value in expected.items():
        torch.testing.assert_close(found[key].double(), value, rtol=rtol, atol=float(value.max()) * 1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_gaussian_taken_is_the_mean_squared_gradient_of_the_value_of_the_action_taken(name: str) -> None:
    _assert_same(_estimate(name, "gaussian_taken"), _reference(name, "gaussian_taken"))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_policy_is_the_exact_fisher_of_the_softmax_of_values_over_temperature(name: str, temperature: float) -> None:
    _assert_same(_estimate(name, "policy", temperature=temperature), _reference(name, "policy", temperature))


@pytest.mark.parametrize("name", NETWORKS)
def test_gaussian_all_actions_has_the_summed_squares_over_all_actions_as_its_mean(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, _ = _setting(name)
    expected = _reference(name, "gaussian_all_actions")
    num_draws = 300
    draws: dict[str, list[Tensor]] = {key: [] for key in expected}
    for number in range(num_draws):
        # Other signs on the same examples, so that the mean can be compared with the reference on those.
        monkeypatch.setattr(q_fisher, "derive_seed", lambda *_, number=number: number)
        for key, value in _estimate(name, "gaussian_all_actions").items():
            draws[key].append(value.double())
    for key in shared_names(network):
        drawn = torch.stack(draws[key])
        error = drawn.std(dim=0) / num_draws**0.5
        assert bool(((drawn.mean(dim=0) - expected[key]).abs() <= 5 * error + 1e-6 * expected[key].max()).all()), key
    assert float(torch.stack(draws[shared_names(network)[0]]).std(dim=0).max()) > 0.0  # the signs did differ
    own = [key for key in expected if key not in shared_names(network)]
    assert all(not draw.any() for key in own for draw in draws[key])


def test_the_mean_over_examples_neither_grows_with_their_number_nor_shrinks_with_the_batch() -> None:
    few, many = (_estimate("mlp", "gaussian_taken", num_minibatches=number) for number in (20, 200))
    traces = [sum(float(value.sum()) for value in fisher.values()) for fisher in (few, many)]
    assert traces[0] == pytest.approx(traces[1], rel=0.3)


@pytest.mark.parametrize("name", NETWORKS)
def test_td_minibatch_is_the_mean_over_minibatches_of_the_squared_gradient_of_the_mean_loss(name: str) -> None:
    network = copy.deepcopy(_setting(name)[0]).double()
    batch = _examples(name)
    expected = {key: torch.zeros_like(parameter) for key, parameter in network.named_parameters()}
    for number in range(NUM_MINIBATCHES):
        loss = torch.zeros((), dtype=torch.float64)
        for row in range(number * AGENT.batch_size, (number + 1) * AGENT.batch_size):
            following = network(batch.next_states[row : row + 1].double())[0].detach()
            target = float(batch.rewards[row]) + 0.9 * float(batch.continues[row]) * float(following.max())
            error = network(batch.states[row : row + 1].double())[0][batch.actions[row]] - target
            cost = 0.5 * error.square() if abs(float(error.detach())) <= 1.0 else error.abs() - 0.5
            loss = loss + cost / AGENT.batch_size
        for key, gradient in _gradients(network, loss).items():
            if key in shared_names(network):
                expected[key] += gradient.square() / NUM_MINIBATCHES
    _assert_same(_estimate(name, "td_minibatch"), expected, rtol=1e-3)


@pytest.mark.parametrize("kind", ["gaussian_all_actions", "gaussian_taken", "td_minibatch", "policy"])
def test_the_network_its_gradients_and_all_random_state_are_left_untouched(kind: str) -> None:
    network, replay = _setting("mlp")
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    cursor, random_state = replay.cursor(), torch.get_rng_state()
    first = _estimate("mlp", kind)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is not None and bool((parameter.grad == 1).all()) for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, cursor[key]) for key, value in replay.cursor().items())
    again = _estimate("mlp", kind)
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_what_is_stored_of_a_fisher_says_how_it_was_made() -> None:
    infos = {
        kind: q_fisher_info(QFisherSpec.model_validate({"kind": kind}), 3200, 5)
        for kind in ("gaussian_all_actions", "gaussian_taken", "td_minibatch", "policy")
    }
    assert {kind: (info.estimator, info.likelihood) for kind, info in infos.items()} == {
        "gaussian_all_actions": ("rademacher", "gaussian"),
        "gaussian_taken": ("taken_action", "gaussian"),
        "td_minibatch": ("td_minibatch", "none"),
        "policy": ("exact", "categorical"),
    }
    assert all((info.num_examples, info.seed) == (3200, 5) for info in infos.values())
    assert infos["td_minibatch"].scale != infos["policy"].scale == infos["gaussian_taken"].scale
