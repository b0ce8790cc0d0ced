"""Random generators from derived seeds.

Nothing random has to be stored to resume a run: the same job seed and the same path give the same generator.
"""

from __future__ import annotations

import torch

from ewc_core.derived_seed import PathPart, derive_seed

__all__ = ["PathPart", "derive_seed", "generator"]


def generator(seed: int, *path: PathPart) -> torch.Generator:
    """A CPU generator seeded with `derive_seed(seed, *path)`; the global generator is left alone."""
    return torch.Generator().manual_seed(derive_seed(seed, *path))
