"""Checkpoints as files: that of a method without constraints, and where the tensors of any of them lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ewc_core import tensor_file

MEDIA_TYPE = "application/vnd.safetensors"
_LENGTH = struct.Struct("<Q")


def anchor_parts(anchor: Mapping[str, Tensor], *, task_index: int) -> list[memoryview]:
    """A checkpoint of a method without constraints, in parts: tensors `anchor.<parameter>`, no Fisher."""
    tensors = {f"anchor.{name}": tensor for name, tensor in anchor.items()}
    return tensor_file.encode_parts(tensors, {"task_index": str(task_index)}, kind="ewc-anchor")


def tensor_index(data: bytes | memoryview) -> list[dict[str, Any]]:
    """Where each tensor lies in a safetensors file: name, dtype, shape, and its byte range [begin, end) in the file. `data` is
    the file, or as much of it as its header."""
    (header_size,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + header_size
    header = json.loads(bytes(data[_LENGTH.size : start]))
    return [
        {
            "name": name,
            "dtype": entry["dtype"],
            "shape": entry["shape"],
            "begin": start + entry["data_offsets"][0],
            "end": start + entry["data_offsets"][1],
        }
        for name, entry in sorted(header.items())
        if name != "__metadata__"
    ]
