"""The curvature of a task along its own scores, without building its Fisher."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ewc_core.capacity import curvature, pull_and_power
from ewc_core.errors import SpecError
from ewc_core.fisher.grad_outputs import make_grad_outputs, num_grad_outputs
from ewc_core.layers import by_layer
from ewc_core.specs import FisherEstimator, LikelihoodName
from tests.ewc_core.fisher.networks import NETWORKS, inputs_for


def _network(sizes: tuple[int, ...], seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Tanh()]
    network = nn.Sequential(*layers[:-1]).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network.eval()


def _full_fishers(network: nn.Module, inputs: Tensor, likelihood: LikelihoodName) -> dict[str, Tensor]:
    """The full Fisher of every layer, from every example's and seed's gradient one at a time."""
    outputs = network(inputs)
    grad_outputs = make_grad_outputs(FisherEstimator.EXACT, likelihood, outputs.detach(), torch.empty(0), torch.empty(0))
    fishers: dict[str, Tensor] = {}
    for index in range(len(inputs)):
        for grad_output in grad_outputs[:, index]:
            gradients = torch.autograd.grad(outputs[index] @ grad_output, list(network.parameters()), retain_graph=True)
            named = dict(zip(dict(network.named_parameters()), gradients, strict=True))
            for layer, names in by_layer(named).items():
                score = torch.cat([named[name].reshape(-1) for name in names])
                fishers[layer] = fishers.get(layer, 0) + torch.outer(score, score) / len(inputs)
    return fishers


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_over_all_examples_and_signs_its_means_are_the_traces_of_the_full_fisher(likelihood: LikelihoodName) -> None:
    network = _network((3, 4, 3))
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    groups = by_layer(dict(network.named_parameters()))
    size = num_grad_outputs(FisherEstimator.EXACT, likelihood, 3)
    signs = [2.0 * torch.tensor([float(code >> bit & 1) for bit in range(size)]) - 1.0 for code in range(2**size)]
    draws = [(example, sign) for example in range(5) for sign in signs]
    means = pull_and_power(network, inputs, draws, groups, likelihood=likelihood, select=None, num_examples=5) / len(draws)
    for row, fisher in zip(means, _full_fishers(network, inputs, likelihood).values(), strict=True):
        assert float(row[0]) == pytest.approx(float((fisher @ fisher).trace()), rel=1e-10)
        assert float(row[1]) == pytest.approx(float(fisher.trace()), rel=1e-10)


def test_a_random_pattern_has_curvature_one() -> None:
    """One pattern of ±1/√n read out linearly: F = x xᵀ, so tr F² / tr F = ‖x‖² = 1, although every F_i is 1/n."""
    network = nn.Linear(100, 1, bias=False).double()
    pattern = (2.0 * torch.randint(2, (1, 100), generator=torch.Generator().manual_seed(0)) - 1.0).double() / 10.0
    groups = {"readout": ["weight"]}
    found = pull_and_power(
        network, pattern, [(0, torch.ones(1))], groups, likelihood=LikelihoodName.GAUSSIAN, select=None, num_examples=1
    )
    assert found.tolist() == [[pytest.approx(1.0), pytest.approx(1.0)]]


def test_a_sample_of_the_examples_gives_the_whole_tasks_pull_on_average() -> None:
    """All pairs out of four examples: the own term has weight 1/4, not the 1/2 that the pair would give it."""
    network = _network((3, 2), seed=2)
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    groups, signs = by_layer(dict(network.named_parameters())), torch.ones(1)

    def pull(rows: list[int], example: int) -> Tensor:
        arguments = {"likelihood": LikelihoodName.CATEGORICAL, "select": None, "num_examples": 4}
        return pull_and_power(network, inputs[rows], [(example, signs)], groups, **arguments)  # type: ignore[arg-type]  # keywords of one test, collected

    whole = torch.stack([pull([0, 1, 2, 3], example) for example in range(4)]).mean(0)
    pairs = torch.stack([pull([one, other], 0) for one in range(4) for other in range(4) if one != other]).mean(0)
    torch.testing.assert_close(pairs, whole, rtol=1e-12, atol=0)


def test_outputs_of_other_heads_bring_no_curvature() -> None:
    network = _network((3, 4), seed=4)
    inputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    alone = nn.Linear(3, 2).double()
    with torch.no_grad():
        alone.weight.copy_(network[0].weight[:2])
        alone.bias.copy_(network[0].bias[:2])
    draws = [(1, torch.ones(1)), (4, -torch.ones(1))]
    headed = pull_and_power(
        network,
        inputs,
        draws,
        {"0": ["0.weight", "0.bias"]},
        likelihood=LikelihoodName.CATEGORICAL,
        select=lambda outputs: outputs[:, :2],
        num_examples=6,
    )
    single = pull_and_power(
        alone, inputs, draws, {"": ["weight", "bias"]}, likelihood=LikelihoodName.CATEGORICAL, select=None, num_examples=6
    )
    torch.testing.assert_close(headed, single, rtol=1e-12, atol=0)


def test_a_network_without_second_derivatives_is_refused_in_words() -> None:
    network, draws = NETWORKS["reentrant"], [(0, torch.ones(3))]
    with pytest.raises(SpecError, match="second derivatives, and the network has none: When use_reentrant=True"):
        pull_and_power(
            network,
            inputs_for("reentrant"),
            draws,
            {"all": ["first.weight"]},
            likelihood=LikelihoodName.CATEGORICAL,
            select=None,
            num_examples=7,
        )


@pytest.mark.parametrize("name", ["attention", "gru", "lstm", "two names", "checkpointed", "embedding", "convs"])
def test_it_is_the_same_for_all_examples_at_once_and_one_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And equal to what the gradients of every example and seed give, on networks of every kind."""
    network, inputs = NETWORKS[name], inputs_for(name, num_examples=5)
    names = [key for key, _ in network.named_parameters()]
    draws = [(3, torch.tensor([1.0, -1.0, 1.0])), (0, torch.tensor([-1.0, -1.0, 1.0]))]

    def found() -> Tensor:
        return pull_and_power(
            network, inputs, draws, {"all": names}, likelihood=LikelihoodName.CATEGORICAL, select=None, num_examples=5
        )

    whole = found()
    monkeypatch.setattr(curvature, "DEFAULT_CHUNK_BYTES", 1)
    torch.testing.assert_close(found(), whole, rtol=1e-9, atol=0)

    scores = _scores(network, inputs)
    full = torch.einsum("ncp,ncq->pq", scores, scores) / len(inputs)
    expected = torch.zeros(2, dtype=torch.float64)
    for example, signs in draws:
        score = (signs.double().unsqueeze(1) * scores[example]).sum(0)
        expected += torch.stack([score @ full @ score, score @ score])
    torch.testing.assert_close(whole[0], expected, rtol=1e-9, atol=0)


def _scores(network: nn.Module, inputs: Tensor) -> Tensor:
    """s_c of every example: [n, num_grad_outputs, num_parameters]."""
    outputs = network(inputs)
    grad_outputs = make_grad_outputs(
        FisherEstimator.EXACT, LikelihoodName.CATEGORICAL, outputs.detach(), torch.empty(0), torch.empty(0)
    )
    rows = []
    for index in range(len(inputs)):
        for grad_output in grad_outputs[:, index]:
            gradients = torch.autograd.grad(
                outputs[index] @ grad_output, list(network.parameters()), retain_graph=True, materialize_grads=True
            )
            rows.append(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    return torch.stack(rows).view(len(inputs), len(grad_outputs), -1)
