"""How much memory large tensors take while something runs, counted after every operation of torch."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveStorage(TorchDispatchMode):
    """Inside the block, `peak_bytes` is the most that storages of at least `smallest_bytes` ever took together.

    It sees every storage that an operation returned, and not what an operation needs while it runs.
    """

    def __init__(self, smallest_bytes: int) -> None:
        super().__init__()
        self._smallest = smallest_bytes
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak_bytes = 0
        self.peak_at = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, Tensor) and (storage := leaf.untyped_storage()).nbytes() >= self._smallest:
                reference = StorageWeakRef(storage)
                self._alive[reference.cdata] = (reference, storage.nbytes())
        self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
        total = sum(nbytes for _, nbytes in self._alive.values())
        if total > self.peak_bytes:
            self.peak_bytes, self.peak_at = total, str(func)
        return result
