"""The tensor index of a checkpoint points at the bytes of each tensor."""

from __future__ import annotations

import torch
from safetensors.torch import load

from worker.checkpoint import anchor_parts, tensor_index


def test_the_byte_range_of_each_tensor_holds_its_values():
    anchor = {"b.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([7.0, 8.0])}
    data = b"".join(anchor_parts(anchor, task_index=4))
    index = {entry["name"]: entry for entry in tensor_index(data)}
    assert sorted(index) == ["anchor.a.bias", "anchor.b.weight"]
    for name, tensor in anchor.items():
        entry = index[f"anchor.{name}"]
        raw = torch.frombuffer(bytearray(data[entry["begin"] : entry["end"]]), dtype=torch.float32)
        assert entry["dtype"] == "F32"
        assert torch.equal(raw.reshape(entry["shape"]), tensor)


def test_the_bytes_are_safetensors_and_do_not_depend_on_the_order_of_names():
    one = b"".join(anchor_parts({"x": torch.ones(2), "y": torch.zeros(1)}, task_index=0))
    two = b"".join(anchor_parts({"y": torch.zeros(1), "x": torch.ones(2)}, task_index=0))
    assert one == two
    assert torch.equal(load(one)["anchor.x"], torch.ones(2))
