"""Fishers of the controls of EWC: the same stiffness without its shape, or in the wrong places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.seeding import generator


def flattened(fisher: Mapping[str, Tensor], shared: tuple[str, ...]) -> dict[str, Tensor]:
    """The Fisher's mean over all shared weights, everywhere on them: the same trace without its shape."""
    size = sum(fisher[name].numel() for name in shared)
    mean = sum(float(fisher[name].double().sum()) for name in shared) / size
    return {name: torch.full_like(tensor, mean) if name in shared else tensor for name, tensor in fisher.items()}


def shuffled(fisher: Mapping[str, Tensor], shared: tuple[str, ...], *, seed: int) -> dict[str, Tensor]:
    """Every shared weight tensor's Fisher in random order: the same values in each layer, in the wrong places."""
    moved = dict(fisher)
    for name in shared:
        flat = fisher[name].reshape(-1)
        moved[name] = flat[torch.randperm(len(flat), generator=generator(seed, "shuffle", name))].view_as(fisher[name])
    return moved
