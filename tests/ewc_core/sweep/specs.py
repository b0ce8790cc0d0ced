"""Small sweeps on the digits."""

from __future__ import annotations

from typing import Any

from ewc_core.specs import SweepSpec

JOB: dict[str, Any] = {
    "network": {"kind": "mlp", "hidden_sizes": [12]},
    "training": {"learning_rate": 0.01, "batch_size": 200, "num_validation_examples": 137},
    "method": {"kind": "ewc", "ewc_lambda": 100.0},
    "tasks": [{"dataset": "digits", "permutation": index} for index in range(2)],
}
LAMBDA = "method.ewc_lambda"
BROAD: dict[str, Any] = {LAMBDA: {"kind": "float", "low": 1.0, "high": 1e6, "log": True}}


def sweep(search: dict[str, Any] | None = None, *, job: dict[str, Any] | None = None, **changes: Any) -> SweepSpec:
    """A sweep over λ, or over `search`."""
    return SweepSpec.model_validate({"job": {**JOB, **(job or {})}, "search": search or BROAD, **changes})


def choices(*values: object) -> dict[str, Any]:
    """A range of a few values."""
    return {"kind": "choices", "values": list(values)}
