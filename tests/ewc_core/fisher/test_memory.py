"""Chunks keep to their memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ewc_core.fisher import fisher_steps
from ewc_core.fisher.memory import ChunkSize
from ewc_core.specs import FisherEstimator


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
    bounds = list(ChunkSize(most, num_outputs=1, forward_bytes=0, chunk_bytes=0).chunks(num_examples))
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
