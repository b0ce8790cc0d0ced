"""Bodies as the service sends them, for what is tested without it."""

from __future__ import annotations

from typing import Any

from ewc_client.matrix import Matrix
from ewc_client.models import Event


def event(seq: int, type_: str, message: str = "", **data: object) -> Event:
    """An event of a job."""
    body = {"seq": seq, "level": "info", "type": type_, "message": message, "data": data, "at": "2026-01-01T00:00:00Z"}
    return Event.from_body(body)


def matrix_body(num_tasks: int, lost_per_visit: dict[str, float], *, visits: list[int] | None = None) -> dict[str, Any]:
    """A score matrix in which each method, the first of them a control, loses so much accuracy per later visit."""
    order = visits or list(range(num_tasks))
    methods = {}
    for kind, lost in lost_per_visit.items():
        rows: list[dict[str, Any]] = [{"after_visit": -1, "scores": [0.1] * num_tasks}]
        for visit in range(len(order)):
            seen = set(order[: visit + 1])
            scores = [1.0 - lost * max(0, visit - task) if task in seen else 0.1234 for task in range(num_tasks)]
            rows.append({"after_visit": visit, "scores": scores})
        summary = {
            "average": 1.0 - lost,
            "forgetting": [lost] * (num_tasks - 1) + [None],
            "average_forgetting": lost,
            "retention": [1.0 - lost] * (num_tasks - 1) + [None],
            "average_retention": 1.0 - lost,
            "backward_transfer": -lost,
            "forward_transfer": None,
        }
        methods[kind] = {"role": "method" if kind == "ewc" else "control", "rows": rows, "summary": summary}
    return {
        "object": "matrix",
        "tasks": [{"index": index, "name": f"digits-permutation-{index}"} for index in range(num_tasks)],
        "visits": [{"index": index, "task_index": task} for index, task in enumerate(order)],
        "methods": methods,
    }


def matrix(num_tasks: int, lost_per_visit: dict[str, float], *, visits: list[int] | None = None) -> Matrix:
    """The same as the client sees it."""
    return Matrix.from_body(matrix_body(num_tasks, lost_per_visit, visits=visits))
