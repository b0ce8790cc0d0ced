"""The state in a snapshot comes back as it was, and equal tensors have equal parts."""

from __future__ import annotations

import json

import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.resume import ResumePoint
from ewc_core.training.snapshot import OWN_PART_BYTES, SMALL, pack, unpack


def a_point() -> ResumePoint:
    """One tensor of every stored dtype, and two large ones that are equal."""
    weights = torch.randn(OWN_PART_BYTES // 32, 8, generator=torch.Generator().manual_seed(0))
    tensors = {
        "ewc.parameters": weights,
        "naive.parameters": weights.t().contiguous().t(),
        "visited_tasks": torch.tensor([1, 0]),
        "empty": torch.zeros(0, 2),
        "scalar": torch.tensor(0.1, dtype=torch.float64),
        "actions": torch.tensor([3, -4], dtype=torch.int16),
        "random": torch.arange(OWN_PART_BYTES).to(torch.uint8),
        "flags": torch.tensor([True, False]),
    }
    return ResumePoint(3, 0, tensors, {"digits": "ab" * 32})


def test_a_point_comes_back_with_its_bits():
    point = a_point()
    packed = pack(point)
    described = json.loads(json.dumps(packed.described))
    found = unpack(described, lambda name: bytes(packed.parts[name]))
    assert (found.visit_index, found.step, found.digests) == (3, 0, point.digests)
    assert found.tensors.keys() == point.tensors.keys()
    for name, tensor in point.tensors.items():
        assert (found.tensors[name].dtype, found.tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(found.tensors[name], tensor), name


def test_equal_tensors_have_equal_parts_whatever_their_names_and_strides():
    parts = pack(a_point()).parts
    assert set(parts) == {SMALL, "tensor/ewc.parameters", "tensor/naive.parameters", "tensor/random"}
    assert bytes(parts["tensor/ewc.parameters"]) == bytes(parts["tensor/naive.parameters"])


def test_a_visit_under_way_leaves_no_snapshot():
    with pytest.raises(ValueError, match="step 1 of visit 0"):
        pack(ResumePoint(0, 1, {}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 2, expected 1"),
        ({"small": ["visited_tasks"]}, r"expected \['visited_tasks'\]"),
        ({"large": {"w": {"dtype": "F32", "shape": [3], "part": "tensor/random"}}}, r"shape \[3\] has 65536 bytes"),
        ({"large": {"w": {"dtype": "F8", "shape": [3], "part": "tensor/random"}}}, "dtype 'F8'"),
    ],
)
def test_a_description_that_does_not_fit_its_parts_is_refused(change, says):
    packed = pack(a_point())
    with pytest.raises(StateFormatError, match=says):
        unpack({**packed.described, **change}, lambda name: bytes(packed.parts[name]))
