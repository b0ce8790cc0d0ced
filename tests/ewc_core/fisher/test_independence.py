"""A network that mixes its examples has no Fisher, and is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ewc_core.errors import SpecError
from ewc_core.fisher import exact_fisher, fisher
from ewc_core.fisher.independence import rows_agree
from ewc_core.specs import FisherEstimator


class _Mixing(nn.Module):
    """A network with `mix` between its layers."""

    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.head, self.mix = nn.Linear(6, 6), nn.Linear(6, 4), mix

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.mix(self.inner(inputs)))
        return outputs


_MIXTURES: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax over the batch": lambda hidden: hidden.softmax(0),
    "centred by the batch": lambda hidden: hidden - hidden.mean(0),
    "divided by the batch's norm": lambda hidden: hidden / hidden.norm(),
    "batch norm without statistics": lambda hidden: functional.batch_norm(hidden, None, None, training=True),
    "attention over the batch": lambda hidden: functional.scaled_dot_product_attention(hidden, hidden, hidden),
    "its neighbour's features": lambda hidden: hidden.roll(1, 0),
    "the first is special": lambda hidden: torch.cat([hidden[:1].tanh(), hidden[1:]]),
    "noise of its own": lambda hidden: hidden + torch.rand_like(hidden),
}


@pytest.mark.parametrize("estimator", [FisherEstimator.EXACT, FisherEstimator.RADEMACHER])
@pytest.mark.parametrize("mixture", _MIXTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_networks_that_mix_examples_are_refused(mixture: str, estimator: FisherEstimator, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = _Mixing(_MIXTURES[mixture]).to(dtype)
    with pytest.raises(SpecError, match="change with the other examples"):
        fisher(network, torch.randn(7, 6, dtype=dtype), estimator=estimator)


@pytest.mark.parametrize(
    "order", [lambda hidden: hidden.flip(0).tanh().flip(0), lambda hidden: torch.cat([row[None].tanh() for row in hidden])]
)
def test_an_order_that_is_undone_is_no_mixture(order: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    network, inputs = _Mixing(order), torch.randn(7, 6)
    plain = nn.Sequential(network.inner, nn.Tanh(), network.head)
    for actual, expected in zip(exact_fisher(network, inputs).values(), exact_fisher(plain, inputs).values(), strict=True):
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_rounding_is_no_disagreement(dtype: torch.dtype) -> None:
    few = torch.tensor([[1.0, -2.0], [0.0, 4.0]], dtype=dtype)
    more = torch.cat([few[:1], few * (1 + 2 * torch.finfo(dtype).eps)])
    assert rows_agree(few, more)
    assert not rows_agree(few, more + 0.5)
    assert not rows_agree(few, more[[0, 2, 1]])


def test_rows_of_other_shapes_disagree_and_tokens_must_be_equal() -> None:
    tokens = torch.tensor([[3, 1], [2, 2]])
    assert rows_agree(tokens, torch.cat([tokens[:1], tokens]))
    assert not rows_agree(tokens, torch.cat([tokens[:1], tokens]) + 1)
    assert not rows_agree(tokens, tokens)


def test_scripted_networks_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.Linear(6, 4))
    for network in (scripted, nn.Sequential(scripted, nn.Linear(4, 2))):
        with pytest.raises(SpecError, match=r"the nn\.Module that it was made from"):
            exact_fisher(network, torch.ones(3, 6))
