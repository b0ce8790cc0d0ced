"""What an agent has consolidated: a constraint per recognised task, on the shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, Quadratic, merge
from ewc_core.errors import StateFormatError
from ewc_core.params import ParameterLayout
from ewc_core.seeding import generator

_FISHER, _ANCHOR, _FACTS = "fisher.", "anchor.", "facts"


@dataclass(frozen=True)
class Made:
    """A constraint, whose `task_index` is the label it was made for, and the visit in which it was made."""

    constraint: Constraint
    visit_index: int


class ConsolidatedTasks:
    """Constraints by label, and how often each counts (once, where `weights` says nothing)."""

    def __init__(self) -> None:
        self.made: dict[int, Made] = {}
        self.weights: dict[int, float] = {}

    def put(self, constraint: Constraint, *, visit_index: int) -> None:
        """Add the constraint of a label, or replace the one it has; it counts fully."""
        self.made[constraint.task_index] = Made(constraint, visit_index)
        self.weights.pop(constraint.task_index, None)

    def quadratic(self, layout: ParameterLayout, *, playing: int) -> Quadratic | None:
        """What ties the network while task `playing` is played: all constraints but its own."""
        return merge([made.constraint for made in self.made.values()], layout, weights={**self.weights, playing: 0.0})

    def state(self, layout: ParameterLayout) -> dict[str, Tensor]:
        """Per label Fisher and anchor, flat; and one row of facts: label, visit, number of examples, seed, weight."""
        state: dict[str, Tensor] = {}
        facts = []
        for label, made in sorted(self.made.items()):
            state[f"{_FISHER}{label}"] = layout.join(made.constraint.fisher, dtype=torch.float32)
            state[f"{_ANCHOR}{label}"] = layout.join(made.constraint.anchor, dtype=torch.float32)
            info = made.constraint.info
            # Seeds have 63 bits, more than a float64 holds: two halves.
            high, low = divmod(info.seed or 0, 2**32)
            facts.append([label, made.visit_index, info.num_examples, high, low, self.weights.get(label, 1.0)])
        return {**state, _FACTS: torch.tensor(facts, dtype=torch.float64).reshape(-1, 6)}

    def load_state(self, state: Mapping[str, Tensor], layout: ParameterLayout, like: Constraint) -> None:
        """Go on from what `state` gave; strength and origin of every Fisher are those of `like`.

        Raises:
            StateFormatError: tensors are missing or unknown.
            ParameterMismatch: they do not fit the network.
        """
        facts = state.get(_FACTS)
        if facts is None or facts.dim() != 2 or facts.shape[1] != 6:
            raise StateFormatError(f"constraints: the state holds {sorted(state)}, expected {_FACTS!r} with 6 columns")
        rows = facts.tolist()
        labels = [int(row[0]) for row in rows]
        expected = {_FACTS} | {f"{part}{label}" for part in (_FISHER, _ANCHOR) for label in labels}
        if set(state) != expected:
            raise StateFormatError(f"constraints: the state holds {sorted(state)}, expected {sorted(expected)}")
        self.made, self.weights = {}, {}
        for label, visit_index, num_examples, high, low, weight in rows:
            key = int(label)
            info = replace(like.info, num_examples=int(num_examples), seed=int(high) * 2**32 + int(low))
            fisher, anchor = (_copies(layout, state[f"{part}{key}"]) for part in (_FISHER, _ANCHOR))
            constraint = replace(like, task_index=key, fisher=fisher, anchor=anchor, info=info)
            self.made[key] = Made(constraint, int(visit_index))
            if weight != 1.0:
                self.weights[key] = weight


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


def _copies(layout: ParameterLayout, flat: Tensor) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in layout.split(flat).items()}
