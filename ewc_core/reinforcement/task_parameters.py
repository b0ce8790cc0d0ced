"""All parameters of a Q-network: shared weights, and biases and gains per task, of which one set is in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ewc_core.errors import StateFormatError
from ewc_core.networks.q_network import shared_names
from ewc_core.params import FlatParameters
from ewc_core.training.named_state import Rest

_ALL, _LABEL, _OWN = "parameters", "label", "own."


class TaskParameters:
    """One flat vector holds the shared weights and the biases and gains of the task in use, so that optimiser, clipping
    and penalty are single operations. The other tasks' biases and gains wait beside it, and nothing touches them."""

    def __init__(self, network: nn.Module) -> None:
        """Mutates the network: its parameters become views of `parameters.values`. It starts with task 0 in use."""
        self.parameters = FlatParameters(network)
        self.shared_names = shared_names(network)
        layout = self.parameters.layout
        own = torch.ones(layout.num_parameters, dtype=torch.bool)
        for name, mark in layout.split(own).items():
            if name in self.shared_names:
                mark.fill_(False)
        self._own = own.nonzero().squeeze(1)
        self._fresh = self.parameters.values[self._own].clone()
        self._waiting: dict[int, Tensor] = {}
        self.label = 0

    def select(self, label: int) -> None:
        """Use the biases and gains of `label` from now on: 0 and 1 for one that was never in use."""
        if label == self.label:
            return
        self._waiting[self.label] = self.parameters.values[self._own].clone()
        self.parameters.values[self._own] = self._waiting.pop(label, self._fresh)
        self.label = label

    @contextmanager
    def temporarily(self, label: int) -> Iterator[None]:
        """Use the biases and gains of `label` within the block, and leave everything as it was."""
        before = self.parameters.values[self._own].clone()
        if label != self.label:
            self.parameters.values[self._own] = self._waiting.get(label, self._fresh)
        try:
            yield
        finally:
            self.parameters.values[self._own] = before

    def of(self, label: int) -> Tensor:
        """A copy of the biases and gains of a task, flat."""
        if label == self.label:
            return self.parameters.values[self._own].clone()
        return self._waiting.get(label, self._fresh).clone()

    def state(self) -> dict[str, Tensor]:
        """All parameters, of all tasks, as they are now."""
        return {
            _ALL: self.parameters.values,
            _LABEL: torch.tensor(self.label, dtype=torch.int64),
            **{f"{_OWN}{label}": values for label, values in self._waiting.items()},
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: parts are missing or unknown, or a task's part has another size.
            ParameterMismatch: the parameters do not fit the network.
        """
        rest = Rest(state)
        if _ALL not in rest or _LABEL not in rest:
            raise StateFormatError(f"task parameters hold {sorted(state)}, expected {_ALL!r} and {_LABEL!r} in it")
        self.parameters.load_flat(rest.pop(_ALL))
        self.label = int(rest.pop(_LABEL))
        self._waiting = {}
        for name, values in rest.items():
            label = name.removeprefix(_OWN)
            if not (name.startswith(_OWN) and label.isdigit()) or values.shape != self._fresh.shape:
                raise StateFormatError(
                    f"task parameters: {name!r} of shape {tuple(values.shape)} is not a task's biases and gains"
                )
            self._waiting[int(label)] = values.clone()
