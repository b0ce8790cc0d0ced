"""How many examples a forward pass takes at a time: the memory that one of them needs is measured, in bytes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ewc_core.fisher.independence import COMPANIES
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES
from ewc_core.fisher.untouched import random_state_kept

_COPIES_OF_INPUTS, _WORKSPACE = 3, 2
"""Inputs are read, converted and transformed; kernels lay tensors out anew for themselves."""


def examples_at_once(
    forward: Callable[[Tensor], object], examples: Tensor, *, most: int, chunk_bytes: int = DEFAULT_CHUNK_BYTES
) -> int:
    """How many examples like `examples` [>= 1, ...] a pass without gradients may take, 1 to `most`, for about `chunk_bytes`.

    It follows from the shapes that `forward` makes alone: the same network and inputs have the same chunks on every machine.
    """
    peaks: list[int] = []
    for numbers in COMPANIES:
        inputs = examples[torch.tensor(numbers, device=examples.device) % len(examples)]
        # Without the fused path of attention, which does not show what it makes.
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with torch.no_grad(), random_state_kept([examples]), _Peak() as seen:
                forward(inputs)
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
        peaks.append(seen.peak)
    few, more = peaks
    each = _WORKSPACE * max(0, more - few) + _COPIES_OF_INPUTS * examples[:1].nbytes
    return max(1, min(most, chunk_bytes // max(1, each)))


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Bytes of all tensors made inside the block that are alive at a time, at most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in torch
        self.peak = self._alive = 0
        self._storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        self.peak = max(self.peak, self._alive)
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        address, nbytes = storage._cdata, storage.nbytes()
        if address in self._storages:
            return

        def gone(_: object) -> None:
            del self._storages[address]
            self._alive -= nbytes

        self._storages[address] = weakref.ref(storage, gone)
        self._alive += nbytes
