"""The constraints of a job, and the one penalty that they make while a task is learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor

from ewc_core.consolidation.constraint import Constraint
from ewc_core.consolidation.diagonal import Diagonal
from ewc_core.consolidation.interface import Penalty
from ewc_core.errors import StateFormatError
from ewc_core.params import ParameterLayout

_FISHER, _ANCHOR, _FACTS = "fisher.", "anchor.", "facts"


class Merging(StrEnum):
    """How constraints become one penalty.

    `separate`: each around its own anchor. `latest`: all around the anchor of the task consolidated last. `running`: the latest
    constraint holds the sum over all tasks, so that single ones cannot be masked, weighted or forgotten. `none`: not at all.
    """

    SEPARATE = "separate"
    LATEST = "latest"
    RUNNING = "running"
    NONE = "none"


class ConstraintStore(Protocol):
    """Where constraints are kept that were made in visits that are over."""

    def constraint(self, task_index: int) -> Constraint:
        """The constraint of a task, whose tensors are read when they are looked at."""


class ConstraintBook:
    """Constraints by task (an agent's: by label), which of them came last, in which visit each was made, and how much it counts.

    `weights` says how often a constraint counts: once, where it says nothing. Where there is a `store`, the book keeps a
    constraint's tensors only until they are stored; without one it keeps them all.
    """

    def __init__(
        self,
        merging: Merging,
        constraints: Iterable[Constraint] = (),
        *,
        precision_floor: float = 0.0,
        latest_task: int | None = None,
        store: ConstraintStore | None = None,
    ) -> None:
        self._merging, self._floor = merging, precision_floor
        self._form = Diagonal()
        self._constraints = {constraint.task_index: constraint for constraint in constraints}
        self._store = store
        self._unstored: set[int] = set()
        self.made_in: dict[int, int] = {}
        """The visit in which each constraint was made, where it was put here."""
        self.latest_task = latest_task
        self.weights: dict[int, float] = {}

    @property
    def constraints(self) -> list[Constraint]:
        """All of them, in task order."""
        return [self._constraints[index] for index in sorted(self._constraints)]

    @property
    def latest(self) -> Constraint | None:
        """The constraint of the task that was consolidated last."""
        return None if self.latest_task is None else self._constraints.get(self.latest_task)

    def put(self, constraint: Constraint, *, visit_index: int) -> None:
        """Add the constraint of a task, or replace it when the task has one; it counts fully."""
        if self._merging is Merging.RUNNING:
            self._constraints.clear()
            self._unstored.clear()
            self.made_in.clear()
        self._constraints[constraint.task_index] = constraint
        self._unstored.add(constraint.task_index)
        self.made_in[constraint.task_index] = visit_index
        self.latest_task = constraint.task_index
        self.weights.pop(constraint.task_index, None)

    def let_go(self) -> None:
        """Keep no longer in memory what the store holds by now: every constraint that was put here."""
        if self._store is not None:
            self._constraints |= {task: self._store.constraint(task) for task in self._unstored}
        self._unstored.clear()

    def ties(self, visiting: int) -> bool:
        """Whether some constraint is meant to hold the network while task `visiting` is learned."""
        if self._merging is Merging.RUNNING:
            return self.latest is not None
        return any(index != visiting and self.weights.get(index, 1.0) > 0.0 for index in self._constraints)

    def penalty(self, layout: ParameterLayout, *, visiting: int | None) -> Penalty | None:
        """What ties the network while task `visiting` is learned (None: no task): its own constraint is left out.

        A running sum cannot leave a task out: there the whole sum ties the network to the latest anchor.
        """
        if self._merging is Merging.NONE:
            return None
        constraints, weights = self.constraints, dict(self.weights)
        if self._merging is Merging.RUNNING:
            constraints, weights = [] if self.latest is None else [self.latest], {}
        elif visiting is not None:
            weights[visiting] = 0.0
        return self._form.merged(
            constraints,
            layout,
            weights=weights,
            precision_floor=self._floor,
            latest_task=self.latest_task,
            at_latest=self._merging is Merging.LATEST,
        )

    def state(self, layout: ParameterLayout) -> dict[str, Tensor]:
        """Per task Fisher and anchor, flat; and one row of facts: task, visit, number of examples, seed, weight."""
        state: dict[str, Tensor] = {}
        facts = []
        for task, constraint in sorted(self._constraints.items()):
            state[f"{_FISHER}{task}"] = layout.join(constraint.fisher, dtype=torch.float32)
            state[f"{_ANCHOR}{task}"] = layout.join(constraint.anchor, dtype=torch.float32)
            # Seeds have 63 bits, more than a float64 holds: two halves.
            high, low = divmod(constraint.info.seed or 0, 2**32)
            facts.append([task, self.made_in[task], constraint.info.num_examples, high, low, self.weights.get(task, 1.0)])
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
        tasks = [int(row[0]) for row in rows]
        expected = {_FACTS} | {f"{part}{task}" for part in (_FISHER, _ANCHOR) for task in tasks}
        if set(state) != expected:
            raise StateFormatError(f"constraints: the state holds {sorted(state)}, expected {sorted(expected)}")
        self._constraints, self._unstored, self.made_in, self.weights = {}, set(), {}, {}
        for task, (_, visit_index, num_examples, high, low, weight) in zip(tasks, rows, strict=True):
            info = replace(like.info, num_examples=int(num_examples), seed=int(high) * 2**32 + int(low))
            fisher, anchor = (_copies(layout, state[f"{part}{task}"]) for part in (_FISHER, _ANCHOR))
            self._constraints[task] = replace(like, task_index=task, fisher=fisher, anchor=anchor, info=info)
            self.made_in[task] = int(visit_index)
            if weight != 1.0:
                self.weights[task] = weight


def _copies(layout: ParameterLayout, flat: Tensor) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in layout.split(flat).items()}
