"""What a run remembers between steps, as the named tensors of a resume point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.errors import StateFormatError

_VISITED, _LATEST, _WEIGHTS, _SHARE, _STOPPING = (
    "visited_tasks",
    "latest_task",
    "constraint_weights",
    "largest_share",
    "stopping.",
)


@dataclass(frozen=True)
class RunState:
    """`visited` tasks in the order of their first visits; `latest_task` was consolidated last; `weights` of constraints
    in force; `largest_share` of the penalty in this visit so far; one learner's tensors per method."""

    visited: list[int]
    latest_task: int | None
    weights: dict[int, float]
    largest_share: float | None
    learners: dict[str, dict[str, Tensor]]
    stopping: dict[str, Tensor]

    def to_tensors(self) -> dict[str, Tensor]:
        """Flat names: `<method>.<name>` for learners, plain names for the rest."""
        tensors = {
            _VISITED: torch.tensor(self.visited, dtype=torch.int64),
            _WEIGHTS: torch.tensor(sorted(self.weights.items()), dtype=torch.float64).reshape(-1, 2),
        }
        if self.latest_task is not None:
            tensors[_LATEST] = torch.tensor(self.latest_task, dtype=torch.int64)
        if self.largest_share is not None:
            tensors[_SHARE] = torch.tensor(self.largest_share, dtype=torch.float64)
        tensors |= {_STOPPING + name: tensor for name, tensor in self.stopping.items()}
        for method, state in self.learners.items():
            tensors |= {f"{method}.{name}": tensor for name, tensor in state.items()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], *, num_tasks: int, methods: Sequence[str]) -> RunState:
        """What `to_tensors` made, for a job with these methods and so many tasks.

        Raises:
            StateFormatError: parts are missing, unknown, or name tasks that are not there.
        """
        rest = dict(tensors)
        visited = _tasks_in(rest.pop(_VISITED, None), num_tasks)
        weights = rest.pop(_WEIGHTS, None)
        if weights is None or weights.dtype != torch.float64 or weights.dim() != 2 or weights.shape[1] != 2:
            raise StateFormatError(f"the resume point has no {_WEIGHTS!r}")
        latest, share = rest.pop(_LATEST, None), rest.pop(_SHARE, None)
        stopping = _taken(rest, _STOPPING)
        learners = {method: _taken(rest, f"{method}.") for method in methods}
        if rest:
            raise StateFormatError(f"the resume point holds {sorted(rest)}, which no method of {list(methods)} has")
        return cls(
            visited=visited,
            latest_task=None if latest is None else int(latest),
            weights={int(task): float(weight) for task, weight in weights.tolist()},
            largest_share=None if share is None else float(share),
            learners=learners,
            stopping=stopping,
        )


def _taken(rest: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    names = [name for name in rest if name.startswith(prefix)]
    return {name.removeprefix(prefix): rest.pop(name) for name in names}


def _tasks_in(tensor: Tensor | None, num_tasks: int) -> list[int]:
    if tensor is None or tensor.dtype != torch.int64 or tensor.dim() != 1:
        raise StateFormatError(f"the resume point has no {_VISITED!r}")
    visited = [int(index) for index in tensor]
    unknown = [index for index in visited if not 0 <= index < num_tasks]
    if unknown:
        raise StateFormatError(f"the resume point has visited tasks {unknown}, but only {num_tasks} tasks were given")
    return visited
