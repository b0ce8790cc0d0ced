"""What a service says about finished jobs, by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ewc_client import EWCClient
from tests.ewc_client.conftest import QUICK
from tests.ewc_client.scripted_server import Answer, Asked, ScriptedServer, json_answer

Documents = Mapping[str, Any]


def job(job_id: str, spec: Mapping[str, Any], status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """A job's body."""
    return {
        "id": job_id,
        "status": status,
        "stream": "closed",
        "spec": dict(spec),
        "progress": {"num_visits": len(spec.get("tasks", []))},
        "created_at": "2026-01-01T00:00:00Z",
        **changes,
    }


def supervised(method: str, num_tasks: int, **metadata: str) -> dict[str, Any]:
    """A supervised spec with the defaults of the service filled in."""
    training = {
        "optimiser": "sgd",
        "learning_rate": 0.001,
        "batch_size": 8,
        "num_epochs": 1,
        "evaluate_on": "test",
        "evaluate_every": 2,
    }
    return {
        "kind": "supervised",
        "seed": 0,
        "network": {"kind": "mlp", "hidden_sizes": [4]},
        "training": training,
        "method": {"kind": method},
        "tasks": [{"kind": "permuted", "dataset": "digits", "permutation": index} for index in range(num_tasks)],
        "metadata": metadata,
    }


def page(*items: Mapping[str, Any]) -> dict[str, Any]:
    """A list that fits on one page."""
    ids = [item.get("id") for item in items] or [None]
    return {"object": "list", "data": list(items), "has_more": False, "first_id": ids[0], "last_id": ids[-1]}


def switches(num_steps: list[int]) -> dict[str, Any]:
    """One visit to each task, of so many steps."""
    common = {"action": "append", "status": "done"}
    return page(
        *(
            {**common, "id": f"sw_{index}", "sequence": index + 1, "task_index": index, "visit_index": index, "num_steps": steps}
            for index, steps in enumerate(num_steps)
        )
    )


def matrix(method: str, rows: list[list[float | None]], *, controls: Mapping[str, list[list[float | None]]] | None = None) -> Any:
    """A score matrix whose first row is that of the untrained network."""
    summary: dict[str, Any] = {}
    entries = {
        kind: {
            "role": "method" if kind == method else "control",
            "rows": [{"after_visit": index - 1, "scores": row} for index, row in enumerate(table)],
            "summary": summary,
        }
        for kind, table in {method: rows, **(controls or {})}.items()
    }
    num_tasks = len(rows[0])
    return {
        "metric": "accuracy",
        "tasks": [{"index": index, "name": f"task {'ABC'[index]}"} for index in range(num_tasks)],
        "visits": [{"index": index, "task_index": index} for index in range(num_tasks)],
        "methods": entries,
    }


def metrics(series: Mapping[tuple[str, str], list[tuple[int, int, float]]]) -> dict[str, Any]:
    """Series by method and name, of points (visit_index, step, value)."""
    return {
        "series": [
            {
                "method": method,
                "name": name,
                "points": [{"visit_index": visit, "step": step, "value": value} for visit, step, value in points],
            }
            for (method, name), points in series.items()
        ]
    }


def answering(documents: Documents) -> Callable[[Asked, int], Answer]:
    """Answers each path with its document; metrics only the series asked for. Anything else is not there."""

    def _answer(asked: Asked, number: int) -> Answer:
        url = urlsplit(asked.path)
        document = documents.get(url.path)
        if document is None or asked.method != "GET":
            return json_answer({"code": "not_found", "detail": f"nothing at {asked.method} {url.path}"}, 404)
        if url.path.endswith("/metrics"):
            wanted = {name: values[0] for name, values in parse_qs(url.query).items()}
            kept = [
                series
                for series in document["series"]
                if all(wanted.get(field, series[field]) == series[field] for field in ("name", "method"))
            ]
            return json_answer({"series": kept})
        return json_answer(document)

    return _answer


@contextmanager
def service_of(documents: Documents) -> Iterator[tuple[EWCClient, ScriptedServer]]:
    """A client of a service that knows these documents and nothing else."""
    with ScriptedServer(answering(documents)) as server, EWCClient(server.url, "key", retries=QUICK) as client:
        yield client, server
