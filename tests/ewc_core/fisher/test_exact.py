"""The exact Fisher against slow and obvious references."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from ewc_core.errors import NonFiniteError
from ewc_core.fisher import exact_fisher, fisher_steps, reference_fisher
from ewc_core.fisher.memory import probe
from ewc_core.fisher.outputs import Outputs
from ewc_core.fisher.plan import Plan, make_plan
from ewc_core.likelihoods import probabilities
from ewc_core.specs import LikelihoodName
from tests.ewc_core.fisher.networks import NETWORKS, inputs_for


def _assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor], *, rtol: float, atol: float = 1e-15) -> None:
    assert set(actual) == set(expected)
    for name in expected:
        torch.testing.assert_close(
            actual[name], expected[name], rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_it_equals_one_example_and_one_class_at_a_time(name: str) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    expected = reference_fisher(network, inputs)
    _assert_same(exact_fisher(network, inputs), expected, rtol=1e-12)
    assert sum(float(value.sum()) for value in expected.values()) > 0


@pytest.mark.parametrize("name", ["mlp", "convs", "batch norm", "gain"])
def test_float32_agrees_with_float64(name: str) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    expected = reference_fisher(network, inputs)
    actual = exact_fisher(network.float(), inputs.float())
    network.double()
    assert {value.dtype for value in actual.values()} == {torch.float32}
    _assert_same({key: value.double() for key, value in actual.items()}, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("dtype", "scale"), [(torch.bfloat16, 1.0), (torch.float16, 1.0), (torch.float16, 1e-3)])
@pytest.mark.parametrize("name", ["mlp", "convs", "layer norm", "several positions", "gain"])
def test_half_precision_networks_have_a_float32_fisher_whose_squares_do_not_vanish(
    name: str, dtype: torch.dtype, scale: float
) -> None:
    network, inputs = copy.deepcopy(NETWORKS[name]).to(dtype), (scale * inputs_for(name)).to(dtype)
    actual = exact_fisher(network, inputs)
    expected = reference_fisher(network.double(), inputs.double())
    rounding = 1e-6 * max(float(value.sum()) for value in expected.values())
    for key, value in expected.items():
        assert actual[key].dtype == torch.float32
        assert float(actual[key].sum()) == pytest.approx(float(value.sum()), rel=0.1, abs=rounding), key


def _settled(name: str) -> Plan:
    network, inputs = NETWORKS[name], inputs_for(name)
    leaves = {key: parameter.detach().requires_grad_() for key, parameter in network.named_parameters()}
    plan = make_plan(network, leaves)
    probe(plan, Outputs(network, None), leaves, {}, inputs[:3], lambda num_outputs: num_outputs, 2**20)
    return plan


@pytest.mark.parametrize(
    ("name", "general"),
    [
        ("linear", set()),
        ("mlp", set()),
        ("in-place activation", set()),
        ("conv", set()),
        ("convs", set()),
        ("batch norm", set()),
        ("layer norm", set()),
        ("embedding", set()),
        ("gain", set()),
        ("residual", set()),
        ("reused layer", {"inner.weight", "inner.bias"}),
        ("tied weight", {"encoder.weight", "encoder.bias"}),
        ("shared module", {"first.weight", "first.bias"}),
        ("several positions", {"query", "of_query.weight", "of_query.bias"}),
        ("hooked layer", {"inner.weight", "inner.bias"}),
        ("unused parameters", set()),
        ("time first", {"inner.weight", "inner.bias"}),
        ("scrambled", {"inner.weight", "inner.bias"}),
        ("recurrent", set()),
        ("gru", {"first"}),
        ("lstm", set()),
        ("projected lstm", {"layer.weight_hr_l0"}),
        ("rnn", set()),
        ("two names", set()),
        ("checkpointed", {"inner.2.weight_ih", "inner.2.weight_hh", "inner.2.bias_ih", "inner.2.bias_hh"}),
    ],
)
def test_only_parameters_that_have_a_closed_form_use_it(name: str, general: set[str]) -> None:
    assert _settled(name).general == general


def test_it_is_the_diagonal_of_the_generalised_gauss_newton_matrix() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    logits = network(inputs).detach()
    p = probabilities(LikelihoodName.CATEGORICAL, logits)
    curvature = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    jacobians = jacrev(lambda values: functional_call(network, values, (inputs,)))(parameters)
    expected = {
        name: torch.einsum("ni...,nij,nj...->...", jacobian, curvature, jacobian) / len(inputs)
        for name, jacobian in jacobians.items()
    }
    _assert_same(exact_fisher(network, inputs), expected, rtol=1e-12)


def test_the_last_layer_is_label_variance_times_squared_input() -> None:
    network, inputs = NETWORKS["linear"], inputs_for("linear")
    p = probabilities(LikelihoodName.CATEGORICAL, network(inputs))
    variance = p * (1 - p)
    fisher = exact_fisher(network, inputs)
    torch.testing.assert_close(fisher["weight"], variance.T @ inputs.square() / len(inputs), rtol=1e-12, atol=0)
    torch.testing.assert_close(fisher["bias"], variance.mean(0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["mlp", "convs", "attention"])
def test_it_does_not_depend_on_how_examples_are_chunked(name: str) -> None:
    network, inputs = NETWORKS[name], inputs_for(name, num_examples=8)
    whole = exact_fisher(network, inputs)
    numbers = {
        bytes_: len(list(fisher_steps(network, lambda a, b: (inputs[a:b], inputs[a:b]), 8, chunk_bytes=bytes_)))
        for bytes_ in (1, 5000, 2**20)
    }
    assert numbers[1] == 8
    assert numbers[2**20] == 1
    for chunk_bytes in numbers:
        _assert_same(exact_fisher(network, inputs, chunk_bytes=chunk_bytes), whole, rtol=1e-12)


def test_a_short_last_chunk_is_weighted_by_its_examples() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp", num_examples=10)
    sizes = [512 * factor for factor in range(1, 16)]
    chunked = [list(fisher_steps(network, lambda a, b: (inputs[a:b], inputs[a:b]), 10, chunk_bytes=size)) for size in sizes]
    uneven = next(size for size, steps in zip(sizes, chunked, strict=True) if len(steps) > 1 and 10 % steps[0] != 0)
    _assert_same(exact_fisher(network, inputs, chunk_bytes=uneven), exact_fisher(network, inputs), rtol=1e-12)


def test_order_and_duplication_of_examples_do_not_matter() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    once = exact_fisher(network, inputs)
    _assert_same(exact_fisher(network, inputs.flip(0)), once, rtol=1e-12)
    _assert_same(exact_fisher(network, torch.cat([inputs, inputs])), once, rtol=1e-12)


def test_one_example_suffices() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp", num_examples=1)
    _assert_same(exact_fisher(network, inputs), reference_fisher(network, inputs), rtol=1e-12)


def test_it_sees_no_labels() -> None:
    """The signature takes inputs alone; the empirical Fisher of the same network depends on labels and differs."""
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    weight = dict(network.named_parameters())["4.bias"]
    empirical = torch.zeros_like(weight)
    for example in inputs:
        loss = nn.functional.cross_entropy(network(example.unsqueeze(0)), torch.tensor([0]))
        (gradient,) = torch.autograd.grad(loss, weight)
        empirical += gradient.square() / len(inputs)
    assert not torch.allclose(exact_fisher(network, inputs)["4.bias"], empirical, rtol=0.1)


def test_squaring_the_batch_mean_would_shrink_it() -> None:
    """The popular mistake is far from this Fisher: it is about 1/B of it."""
    network, inputs = NETWORKS["linear"], inputs_for("linear", num_examples=32)
    bias = dict(network.named_parameters())["bias"]
    generator = torch.Generator().manual_seed(0)
    p = probabilities(LikelihoodName.CATEGORICAL, network(inputs))
    draws = []
    for _ in range(400):
        labels = torch.multinomial(p, 1, generator=generator).squeeze(1)
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(network(inputs), labels), bias)
        draws.append(gradient.square())
    ratio = torch.stack(draws).mean(0) * 32 / exact_fisher(network, inputs)["bias"]
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.25, atol=0)


def test_scaling_the_input_of_a_layer_scales_its_fisher_by_the_square() -> None:
    inputs = inputs_for("linear")
    network = nn.Linear(6, 4).double()
    with torch.no_grad():
        network.weight.zero_()
    small, large = exact_fisher(network, inputs)["weight"], exact_fisher(network, 3.0 * inputs)["weight"]
    torch.testing.assert_close(large, 9.0 * small, rtol=1e-12, atol=0)


def test_nan_is_reported_with_the_parameter() -> None:
    network = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)).double()
    with torch.no_grad():
        network[0].weight[0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match=r"parameter '0\.weight'"):
        exact_fisher(network, inputs_for("mlp"))
