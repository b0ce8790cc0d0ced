"""Chunks keep to their memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from ewc_core.capacity import pull_and_power
from ewc_core.data import DataSource, TaskData
from ewc_core.data.as_stored import AsStored
from ewc_core.data.task_data import Part
from ewc_core.fisher import exact_fisher, fisher_steps
from ewc_core.fisher.grad_outputs import num_grad_outputs
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES, ChunkSize, examples_at_once
from ewc_core.importance import memory_aware_steps
from ewc_core.specs import FisherEstimator, LikelihoodName
from ewc_core.supervised.evaluate import score
from ewc_core.supervised.heads import HeadView


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes, in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # untyped in torch
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, Tensor):
                self.nbytes = max(self.nbytes, value.nbytes)
        return result


@pytest.mark.parametrize(("num_examples", "most", "expected"), [(10, 4, [3, 3, 4]), (8, 4, [4, 4]), (3, 5, [3]), (2, 1, [1, 1])])
def test_chunks_are_few_and_nearly_equal(num_examples: int, most: int, expected: list[int]) -> None:
    bounds = list(ChunkSize(most, num_outputs=1, general_bytes=0, chunk_bytes=0).chunks(num_examples))
    assert [stop - start for start, stop in bounds] == expected
    assert [start for start, _ in bounds] == [0] + [stop for _, stop in bounds[:-1]]
    assert bounds[-1][1] == num_examples


@contextmanager
def _largest() -> Iterator[_Largest]:
    with _Largest() as mode:
        yield mode


def _networks() -> dict[str, nn.Module]:
    conv = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
    inner = nn.Linear(64, 64)
    return {
        "mlp": nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)),
        "conv": conv,
        "reused": nn.Sequential(inner, nn.Tanh(), inner, nn.Tanh(), nn.Linear(64, 3)),
    }


@pytest.mark.parametrize("name", ["mlp", "conv", "reused"])
@pytest.mark.parametrize("estimator", [FisherEstimator.EXACT, FisherEstimator.RADEMACHER])
def test_no_intermediate_is_larger_than_the_chunk_and_smaller_chunks_mean_more_of_them(
    name: str, estimator: FisherEstimator
) -> None:
    network, inputs = _networks()[name], torch.rand(60, 64)
    num_chunks = []
    for chunk_bytes in (2**16, 2**19):
        steps = fisher_steps(
            network, lambda start, stop: (inputs[start:stop].clone(),) * 2, 60, estimator=estimator, chunk_bytes=chunk_bytes
        )
        with _largest() as seen:
            num_chunks.append(sum(1 for _ in steps))
        assert seen.nbytes <= chunk_bytes
    assert num_chunks[0] > num_chunks[1] >= 1


class _Attentive(nn.Module):
    """Little width, and many positions: scores of 64 KiB for each example, which the fused kernel never has in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(8, 4, batch_first=True), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        positions = inputs.view(-1, 64, 8)
        logits: Tensor = self.head(self.attention(positions, positions, positions, need_weights=False)[0].mean(1))
        return logits


@pytest.mark.parametrize("steps_of", [memory_aware_steps, fisher_steps])
def test_the_scores_of_attention_in_plain_operations_are_counted(steps_of: Callable[..., Iterator[int]]) -> None:
    inputs = torch.rand(60, 512)
    with _largest() as seen:
        for _ in steps_of(_Attentive(), lambda start, stop: (inputs[start:stop], inputs), 60, chunk_bytes=2**21):
            pass
    assert seen.nbytes <= 2**20


class _Wide(nn.Module):
    """Few parameters, and half a mebibyte for each example."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.head = nn.Parameter(torch.ones(2**17)), nn.Linear(2**17, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh(inputs[:, :1] * self.gain))
        return logits


def _score(network: nn.Module, inputs: Tensor, likelihood: LikelihoodName) -> None:
    is_labels = likelihood is LikelihoodName.CATEGORICAL
    targets = torch.zeros(len(inputs), dtype=torch.int64) if is_labels else torch.zeros(len(inputs), 3)
    source = DataSource(inputs, targets, inputs, targets, likelihood, 3, None, AsStored("float32"))
    score(network, TaskData(source, {"test": Part(inputs, targets, None)}), HeadView(0, 3, 3), split="test")


def _memory_aware(network: nn.Module, inputs: Tensor, _: LikelihoodName) -> None:
    for _done in memory_aware_steps(network, lambda start, stop: (inputs[start:stop], inputs), len(inputs)):
        pass


def _curvature(network: nn.Module, inputs: Tensor, likelihood: LikelihoodName) -> None:
    groups = {"all": [name for name, _ in network.named_parameters()]}
    draws = [(0, torch.ones(num_grad_outputs(FisherEstimator.EXACT, likelihood, 3)))]
    pull_and_power(network, inputs, draws, groups, likelihood=likelihood, select=None, num_examples=len(inputs))


@pytest.mark.parametrize(
    ("look", "likelihood"),
    [(_memory_aware, LikelihoodName.CATEGORICAL), (_curvature, LikelihoodName.BERNOULLI)]
    + [(_score, kind) for kind in LikelihoodName],
)
def test_whatever_looks_at_examples_takes_few_of_large_ones_at_a_time(
    look: Callable[[nn.Module, Tensor, LikelihoodName], None], likelihood: LikelihoodName
) -> None:
    """All 100 at once would be 50 MiB in one tensor."""
    with _largest() as seen:
        look(_Wide(), torch.rand(100, 2), likelihood)
    assert seen.nbytes <= DEFAULT_CHUNK_BYTES / 2


def test_small_examples_go_through_together_and_their_number_is_that_of_their_shapes() -> None:
    small, large = torch.rand(3, 2), torch.rand(3, 2)
    network = nn.Linear(2, 3)
    assert examples_at_once(network, small, most=2048) == 2048
    assert {examples_at_once(_Wide(), examples, most=2048) for examples in (small, large, large[:1], 1e6 * large)} == {79}
    assert examples_at_once(_Wide(), small, most=2048, chunk_bytes=1) == 1


class _Hidden(nn.Module):
    """Keeps nothing of its wide inner layer."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = checkpoint(self.inner, inputs, use_reentrant=False)
        return logits


def test_what_a_checkpoint_does_not_keep_is_counted_too() -> None:
    inner = nn.Sequential(nn.Linear(2, 2**15), nn.Tanh(), nn.Linear(2**15, 3))
    examples = torch.rand(3, 2)
    assert examples_at_once(_Hidden(inner), examples, most=2048) <= DEFAULT_CHUNK_BYTES // 2**17


def test_a_scripted_part_is_looked_at_from_outside() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = nn.Sequential(torch.jit.script(nn.Linear(6, 2**20)), nn.Linear(2**20, 2))
    assert examples_at_once(network, torch.ones(3, 6), most=64) < 64


@pytest.mark.nightly
def test_a_compiled_part_is_looked_at_as_it_was_written() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 5), nn.Tanh())
    network = nn.Sequential(torch.compile(plain, backend="eager"), nn.Linear(5, 2))  # type: ignore[arg-type]  # a module, too
    inputs = torch.randn(4, 6)
    network(inputs)
    assert examples_at_once(network, inputs, most=64) == 64
    found, expected = exact_fisher(network, inputs), exact_fisher(nn.Sequential(plain, network[1]), inputs)
    assert [tensor.tolist() for tensor in found.values()] == [tensor.tolist() for tensor in expected.values()]
