"""The diagonal form of constraints: each parameter is held by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ewc_core.consolidation.constraint import Constraint
from ewc_core.consolidation.merge import merge, merge_latest
from ewc_core.consolidation.quadratic import Quadratic
from ewc_core.params import ParameterLayout


class Diagonal:
    """A `Form` of `Constraint`s."""

    def merged(
        self,
        constraints: Sequence[Constraint],
        layout: ParameterLayout,
        *,
        weights: Mapping[int, float],
        precision_floor: float,
        latest_task: int | None,
        at_latest: bool,
    ) -> Quadratic | None:
        """See `merge` and, where a task was consolidated last whose anchor all are around, `merge_latest`."""
        if at_latest and latest_task is not None:
            return merge_latest(constraints, layout, latest_task=latest_task, weights=weights, precision_floor=precision_floor)
        return merge(constraints, layout, latest_task=latest_task, weights=weights, precision_floor=precision_floor)
