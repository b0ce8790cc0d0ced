"""What learning from data remembers between steps, as the named tensors of a resume point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.training.named_state import Rest, add_prefix

_LATEST, _WEIGHTS, _SHARE, _STOPPING = (
    "latest_task",
    "constraint_weights",
    "largest_share",
    "stopping.",
)


@dataclass(frozen=True)
class RunState:
    """`latest_task` was consolidated last; `weights` of constraints in force; `largest_share` of the penalty in this visit so
    far; one learner's tensors per method."""

    latest_task: int | None
    weights: dict[int, float]
    largest_share: float | None
    learners: Mapping[str, Mapping[str, Tensor]]
    stopping: Mapping[str, Tensor]

    def to_tensors(self) -> dict[str, Tensor]:
        """Flat names: `<method>.<name>` for learners, plain names for the rest."""
        tensors = {_WEIGHTS: torch.tensor(sorted(self.weights.items()), dtype=torch.float64).reshape(-1, 2)}
        if self.latest_task is not None:
            tensors[_LATEST] = torch.tensor(self.latest_task, dtype=torch.int64)
        if self.largest_share is not None:
            tensors[_SHARE] = torch.tensor(self.largest_share, dtype=torch.float64)
        tensors |= add_prefix(_STOPPING, self.stopping)
        for method, state in self.learners.items():
            tensors |= add_prefix(f"{method}.", state)
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], *, methods: Sequence[str]) -> RunState:
        """What `to_tensors` made, for a job with these methods.

        Raises:
            StateFormatError: parts are missing or unknown.
        """
        rest = Rest(tensors)
        weights = rest.pop_if_there(_WEIGHTS)
        if weights is None or weights.dtype != torch.float64 or weights.dim() != 2 or weights.shape[1] != 2:
            raise StateFormatError(f"the resume point has no {_WEIGHTS!r}")
        latest, share = rest.pop_if_there(_LATEST), rest.pop_if_there(_SHARE)
        stopping = rest.taken(_STOPPING)
        learners = {method: rest.taken(f"{method}.") for method in methods}
        if rest:
            raise StateFormatError(f"the resume point holds {sorted(rest)}, which no method of {list(methods)} has")
        return cls(
            latest_task=None if latest is None else int(latest),
            weights={int(task): float(weight) for task, weight in weights.tolist()},
            largest_share=None if share is None else float(share),
            learners=learners,
            stopping=stopping,
        )
