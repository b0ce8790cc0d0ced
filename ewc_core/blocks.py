"""Long vectors a block at a time: what is worked out on the way never takes more memory than a block."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 2**21
"""Numbers in a block: 8 MiB of float32. A vector of one block has the bits that it would have without blocks."""


def blocks(*vectors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of vectors of one length [n], block by block."""
    return zip(*(torch.split(vector, BLOCK) for vector in vectors), strict=True)


def all_finite(vector: Tensor) -> bool:
    """Whether no entry of a vector [n] is NaN or infinite."""
    return all(bool(torch.isfinite(block).all()) for (block,) in blocks(vector))
