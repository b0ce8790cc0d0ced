"""Writing one row of a score matrix."""

from __future__ import annotations

from collections.abc import Mapping

from ewc_core.metrics import Measured
from store.unit_of_work import Work


def write_matrix_row(work: Work, job_id: str, *, method: str, after_visit: int, measured: Mapping[int, Measured]) -> None:
    """What was measured of a method after a visit, by task index; a score that is undefined leaves nothing.

    Raises:
        NonFiniteError: a score is NaN or infinite.
    """
    defined = {task: cell for task, cell in measured.items() if cell.score is not None}
    work.evaluations.put_row(
        job_id,
        method=method,
        after_visit=after_visit,
        scores={task: cell.score for task, cell in defined.items() if cell.score is not None},
        num_examples={task: cell.num_examples for task, cell in defined.items()},
        metrics={task: cell.name for task, cell in defined.items()},
        intervals={task: cell.interval for task, cell in defined.items()},
        chances={task: cell.chance for task, cell in defined.items()},
    )
