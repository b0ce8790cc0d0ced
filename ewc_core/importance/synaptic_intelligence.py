"""Synaptic Intelligence (Zenke et al. 2017, arXiv 1703.04200): importance from the path that training took."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.blocks import blocks
from ewc_core.errors import StateFormatError

_START, _OMEGA = "start", "omega"


class PathIntegral:
    """ω_i = −Σ_steps g_i Δθ_i over the flat parameters of one visit: how much each lowered the data loss on its way.

    For small steps Σ_i ω_i is the loss at the start minus the loss at the end (the line integral of the gradient).
    Their penalty is strength · Σ Ω (θ − θ*)², without ½: a precision of 2 · strength · Ω, Ω summed over tasks.
    """

    def __init__(self, values: Tensor) -> None:
        """Start a visit at the flat parameters `values` [num_parameters], which are copied."""
        self._start = values.clone()
        self._omega = torch.zeros_like(values)

    def add(self, gradient: Tensor, change: Tensor) -> None:
        """One step: `gradient` of the mean data loss at the step's start (no penalty in it), and what the step changed.

        `change` is the whole change θ_after − θ_before, whatever the optimiser and the penalty made of the gradient.
        """
        self._omega.addcmul_(gradient, change, value=-1.0)

    @property
    def omega(self) -> Tensor:
        """ω so far, a copy."""
        return self._omega.clone()

    def importance(self, values: Tensor, *, damping: float) -> Tensor:
        """Ω_i = max(ω_i, 0) / (Δ_i² + damping), Δ = values − start of the visit; [num_parameters], >= 0, float32.

        Where Δ² is much larger than `damping` (in the square of the parameters' unit) this is the curvature of a
        quadratic that would have fallen as much. Parameters that raised the loss count as unimportant.
        """
        importance = torch.empty_like(values, dtype=torch.float32)
        for written, omega, value, start in blocks(importance, self._omega, values, self._start):
            total = (value - start).double()
            written.copy_(omega.double().clamp_min(0.0) / (total.square() + damping))
        return importance

    def state(self) -> dict[str, Tensor]:
        """Everything that the rest of the visit depends on, as it is now."""
        return {_START: self._start, _OMEGA: self._omega}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`. Raises StateFormatError when names, shapes or dtypes are not those of `state()`."""
        expected = {name: (tensor.shape, tensor.dtype) for name, tensor in self.state().items()}
        if {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()} != expected:
            raise StateFormatError(f"path integral state holds {sorted(state)}, expected {sorted(expected)} of this network")
        self._start.copy_(state[_START])
        self._omega.copy_(state[_OMEGA])
