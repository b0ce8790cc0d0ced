"""Sums of squares by parameter: products are added in place in the parameters' dtype, and every so often in float64."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.errors import NonFiniteError

EXAMPLES_PER_SUM = 1024


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """The dtype for squares of numbers of `dtype`: those of half precision numbers vanish or lose their digits."""
    return torch.promote_types(dtype, torch.float32)


class Sums:
    """Σ_n over examples, by parameter name.

    A sum of at most about `EXAMPLES_PER_SUM` examples keeps the digits of the parameters' dtype (float32 for narrower
    ones), and can be the target of a matrix product; such sums are added up in float64, if there is more than one.
    """

    def __init__(self, leaves: Mapping[str, Tensor]) -> None:
        self._recent = {
            name: torch.zeros(leaf.shape, dtype=at_least_float32(leaf.dtype), device=leaf.device) for name, leaf in leaves.items()
        }
        self._earlier: dict[str, Tensor] = {}
        self._num_recent = self._num_examples = 0

    def __getitem__(self, name: str) -> Tensor:
        """The tensor to add squares to, in place."""
        return self._recent[name]

    def count(self, num_examples: int) -> None:
        """Note that the squares of `num_examples` more examples are going to be added."""
        if self._num_recent and self._num_recent + num_examples > EXAMPLES_PER_SUM:
            self._settle()
        self._num_recent += num_examples
        self._num_examples += num_examples

    def mean(self, name: str) -> Tensor:
        """The mean over all examples counted; the sum is given up.

        Raises:
            NonFiniteError: an entry is NaN or infinite.
        """
        recent, earlier = self._recent.pop(name), self._earlier.pop(name, None)
        dtype, total = recent.dtype, recent if earlier is None else earlier.add_(recent)
        del recent  # as large as the result
        result = total.div_(self._num_examples).to(dtype)
        # No entry is negative, so nothing cancels; where the sum alone overflows, the entries decide.
        if not bool(torch.isfinite(result.sum())) and not bool(torch.isfinite(result).all()):
            raise NonFiniteError(f"the Fisher of parameter {name!r} holds NaN or infinity; has training diverged?")
        return result

    def _settle(self) -> None:
        for name, recent in self._recent.items():
            if name in self._earlier:
                self._earlier[name].add_(recent)
            else:
                self._earlier[name] = recent.to(torch.float64, copy=True)
            recent.zero_()
        self._num_recent = 0
