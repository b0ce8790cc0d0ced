"""What a service says about a job that played two games, by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.ewc_client.figures.answers import job, metrics, page

SPEC: dict[str, Any] = {
    "kind": "reinforcement",
    "seed": 0,
    "network": {"kind": "mlp", "hidden_sizes": [8, 8]},
    "agent": {"optimiser": "adam", "learning_rate": 0.001, "batch_size": 32, "replay_period": 4},
    "method": {"kind": "ewc", "ewc_lambda": 10.0},
    "controls": ["naive", "independent"],
    "task_inference": {"kind": "flat"},
    "evaluation": {"num_episodes": 20, "exploration_epsilons": [0.05]},
}
VISITS, LENGTHS = (0, 1, 0), (30, 15, 30)
ROWS: dict[str, list[list[float | None]]] = {
    "ewc": [[0.75, 0.125], [0.75, 0.5], [1.5, 0.5]],
    "naive": [[0.75, 0.125], [0.25, 0.625], [1.0, -0.25]],
    "independent": [[0.875, 0.0], [0.875, 1.25], [1.0, 1.25]],
}


def played(
    job_id: str = "job_g",
    *,
    metric: str = "normalised",
    names: tuple[str, str] = ("catch-1", "catch-2"),
    rows: Mapping[str, list[list[float | None]]] = ROWS,
    num_done: int = 3,
    returns: Mapping[tuple[str, str], list[tuple[int, int, float]]] | None = None,
) -> dict[str, Any]:
    """Game 0, game 1, game 0 again; `num_done` visits are over."""
    visits = [
        {
            "id": f"sw_{index}",
            "sequence": index + 1,
            "action": "append",
            "status": "done" if index < num_done else "pending",
            "task_index": VISITS[index],
            "visit_index": index,
            "num_steps": LENGTHS[index] if index < num_done else None,
        }
        for index in range(3)
    ]
    matrix = {
        "metric": metric,
        "tasks": [{"index": index, "name": name} for index, name in enumerate(names)],
        "visits": [{"index": index, "task_index": task} for index, task in enumerate(VISITS)],
        "methods": {
            kind: {
                "role": "method" if kind == "ewc" else "control",
                "rows": [{"after_visit": index, "scores": row} for index, row in enumerate(table)],
                "summary": {},
            }
            for kind, table in rows.items()
        },
    }
    return {
        f"/v1/jobs/{job_id}": job(job_id, SPEC),
        f"/v1/jobs/{job_id}/task-switches": page(*visits),
        f"/v1/jobs/{job_id}/evaluations/matrix": matrix,
        f"/v1/jobs/{job_id}/metrics": metrics(returns or {}),
    }


def perturbed(job_id: str = "job_p", *, null_change: float | None = 2.0) -> dict[str, Any]:
    """The answer to a perturbation analysis of the job, at two sizes of noise."""
    returns = {"uniform": (0.5, -1.0), "inverse": (1.0, 0.0), "null": (1.0, 0.25)}
    changes = {"uniform": (0.25, 9.0), "inverse": (0.125, 4.0), "null": (0.0625, null_change)}
    noise = [
        {
            "noise": kind,
            "sigma": sigma,
            "mean_loss_increase": changes[kind][number],
            "standard_error": 0.5,
            "predicted_loss_increase": 0.25 * (number + 1),
            "mean_score": None,
            "mean_return": returns[kind][number],
            "return_standard_error": 0.125,
            "num_diverged": 0,
        }
        for kind in ("uniform", "inverse", "null")
        for number, sigma in enumerate((0.1, 1.0))
    ]
    body = {
        "task": 0,
        "num_episodes": 10,
        "num_draws": 5,
        "num_examples": 100,
        "exploration_epsilon": 0.05,
        "return": 0.875,
        "ridge": 0.001,
        "null_space": {"cut": 0.002, "share": 0.5, "quantile": 0.5},
        "noise": noise,
    }
    answer = {"job_id": job_id, "kind": "perturbation", "created_at": "", "body": body}
    spec = {"kind": "analysis", "job_id": "job_g", "question": {"kind": "perturbation", "task": 0}}
    return {f"/v1/jobs/{job_id}": job(job_id, spec), f"/v1/jobs/{job_id}/result": answer}
