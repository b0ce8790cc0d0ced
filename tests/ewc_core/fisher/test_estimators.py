"""Every estimator and likelihood against slow references, and against its own mean."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ewc_core.errors import SpecError
from ewc_core.fisher import exact_fisher, fisher, fisher_steps, reference_fisher
from ewc_core.specs import FisherEstimator, LikelihoodName
from tests.ewc_core.fisher.networks import NETWORKS, inputs_for

EXACT, SAMPLED, RADEMACHER = FisherEstimator.EXACT, FisherEstimator.SAMPLED, FisherEstimator.RADEMACHER
EMPIRICAL, REVERSED = FisherEstimator.EMPIRICAL, FisherEstimator.REVERSED
CATEGORICAL, BERNOULLI, GAUSSIAN = LikelihoodName.CATEGORICAL, LikelihoodName.BERNOULLI, LikelihoodName.GAUSSIAN


def _targets(likelihood: LikelihoodName, num_examples: int, num_outputs: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    if likelihood is CATEGORICAL:
        return torch.randint(0, num_outputs, (num_examples,), generator=generator)
    values = torch.randn(num_examples, num_outputs, generator=generator)
    return (values > 0).float() if likelihood is BERNOULLI else values


def _assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor], *, rtol: float = 1e-12, atol: float = 1e-15) -> None:
    assert list(actual) == list(expected)
    for name in expected:
        torch.testing.assert_close(
            actual[name], expected[name], rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


_FEW = [(REVERSED, CATEGORICAL), (EXACT, BERNOULLI), (EMPIRICAL, BERNOULLI), (EMPIRICAL, GAUSSIAN)]


@pytest.mark.parametrize(
    ("name", "estimator", "likelihood"),
    [(name, *kind) for name in NETWORKS for kind in [(EMPIRICAL, CATEGORICAL), (EXACT, GAUSSIAN)]]
    + [(name, *kind) for name in ("mlp", "attention") for kind in _FEW],
)
def test_it_equals_one_example_at_a_time(name: str, estimator: FisherEstimator, likelihood: LikelihoodName) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    targets = _targets(likelihood, len(inputs))
    expected = reference_fisher(network, inputs, targets, estimator=estimator, likelihood=likelihood)
    _assert_same(fisher(network, inputs, targets, estimator=estimator, likelihood=likelihood), expected)


@pytest.mark.parametrize("likelihood", LikelihoodName)
@pytest.mark.parametrize("estimator", [SAMPLED, RADEMACHER])
def test_random_estimators_have_the_exact_fisher_as_their_mean(estimator: FisherEstimator, likelihood: LikelihoodName) -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp", num_examples=5)
    many = inputs.repeat(4000, 1)
    actual = fisher(network, many, estimator=estimator, likelihood=likelihood)
    expected = exact_fisher(network, inputs, likelihood=likelihood)
    total, exact = (sum(float(value.sum()) for value in result.values()) for result in (actual, expected))
    assert total == pytest.approx(exact, rel=0.03)
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=0.15, atol=0.15 * float(expected[name].mean()))


@pytest.mark.parametrize("estimator", [SAMPLED, RADEMACHER])
@pytest.mark.parametrize("name", ["mlp", "convs", "reused layer"])
def test_random_draws_depend_on_the_seed_and_not_on_chunks(name: str, estimator: FisherEstimator) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    for likelihood in LikelihoodName:
        whole = fisher(network, inputs, estimator=estimator, likelihood=likelihood, seed=5)
        _assert_same(fisher(network, inputs, estimator=estimator, likelihood=likelihood, seed=5, chunk_bytes=1), whole)
        other = fisher(network, inputs, estimator=estimator, likelihood=likelihood, seed=6)
        assert any(not torch.allclose(other[key], whole[key], rtol=1e-3) for key in whole)


@pytest.mark.parametrize("estimator", [EXACT, SAMPLED, RADEMACHER])
def test_only_observed_label_estimators_see_the_labels(estimator: FisherEstimator) -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    labels = _targets(CATEGORICAL, len(inputs))
    _assert_same(
        fisher(network, inputs, labels, estimator=estimator), fisher(network, inputs, estimator=estimator), rtol=0, atol=0
    )
    one, other = (fisher(network, inputs, y, estimator=EMPIRICAL) for y in (labels, (labels + 1) % 4))
    assert not torch.allclose(one["4.bias"], other["4.bias"], rtol=0.1)


def test_squaring_the_batch_mean_shrinks_it_by_the_batch_size() -> None:
    """The negative control: B·E[(mean over a batch of B scores)²] / F is 1, so that the squared mean is F / B."""
    network, inputs = NETWORKS["linear"], inputs_for("linear", num_examples=10)
    generator = torch.Generator().manual_seed(0)
    p = torch.softmax(network(inputs), 1).detach()
    draws = []
    for _ in range(3000):
        labels = torch.multinomial(p, 1, generator=generator).squeeze(1)
        score = nn.functional.one_hot(labels, 4) - p
        draws.append((score.T @ inputs / 10).square())  # (mean over the batch of ∂ log p / ∂W)²
    ratio = 10 * torch.stack(draws).mean(0) / exact_fisher(network, inputs)["weight"]
    assert float(ratio.median()) == pytest.approx(1.0, abs=0.03)
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.15, atol=0)


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_select_gives_the_likelihood_some_of_the_outputs(likelihood: LikelihoodName) -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    actual = exact_fisher(network, inputs, likelihood=likelihood, select=lambda outputs: outputs[:, 1:3])
    _assert_same(actual, reference_fisher(network, inputs, likelihood=likelihood, select=lambda outputs: outputs[:, 1:3]))
    assert not actual["4.bias"][[0, 3]].any()
    assert bool((actual["4.bias"][1:3] > 0).all())


def test_a_single_class_has_nothing_to_learn() -> None:
    actual = exact_fisher(NETWORKS["mlp"], inputs_for("mlp"), select=lambda outputs: outputs[:, :1])
    assert not any(bool(value.any()) for value in actual.values())


def test_the_empirical_fisher_vanishes_with_the_loss_and_the_exact_one_more_slowly() -> None:
    network = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0]]))
    inputs = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    doubt = 1 / (1 + torch.tensor(10.0, dtype=torch.float64).exp())
    empirical = fisher(network, inputs, torch.tensor([1]), estimator=EMPIRICAL)["weight"][0, 0]
    exact = exact_fisher(network, inputs)["weight"][0, 0]
    reverse = fisher(network, inputs, torch.tensor([1]), estimator=REVERSED)["weight"][0, 0]
    torch.testing.assert_close(
        torch.stack([empirical, exact, reverse]), torch.stack([doubt**2, doubt * (1 - doubt), (1 - doubt) ** 2])
    )


def test_progress_counts_examples() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    steps = fisher_steps(
        network, lambda start, stop: (inputs[start:stop], inputs[start:stop]), 7, estimator=SAMPLED, chunk_bytes=1
    )
    assert list(steps) == [1, 2, 3, 4, 5, 6, 7]


class _BatchStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6, track_running_stats=False)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.norm(inputs)
        return outputs


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (_BatchStatistics(), "'norm' normalises over the minibatch"),
        (nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2))), r"\[2, 2, 2\] for 2 examples"),
        (nn.Sequential(nn.Linear(6, 4), nn.Flatten(0)), r"\[8\] for 2 examples"),
    ],
)
def test_networks_without_outputs_per_example_are_refused(network: nn.Module, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        exact_fisher(network, torch.ones(4, 6))


def test_no_examples_and_no_targets_are_refused() -> None:
    with pytest.raises(SpecError, match="there are 0"):
        exact_fisher(NETWORKS["mlp"], torch.ones(0, 6))
    with pytest.raises(SpecError, match="observed targets"):
        fisher(NETWORKS["mlp"], torch.ones(2, 6), estimator=EMPIRICAL)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", NETWORKS)
def test_cuda_agrees_with_the_cpu(name: str) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    for estimator in (EXACT, SAMPLED, RADEMACHER):
        expected = fisher(network, inputs, estimator=estimator)
        try:
            actual = fisher(network.cuda(), inputs.cuda(), estimator=estimator)
        finally:
            network.cpu()
        _assert_same({key: value.cpu() for key, value in actual.items()}, expected, rtol=1e-9)
