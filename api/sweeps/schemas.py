"""The body of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from api.jobs.schemas import JobError
from api.schemas import Record, Resource, ShownAs
from ewc_core.specs import Scalar, SupervisedSpec, SweepSpec

SweepStatus = Literal["running", "succeeded", "failed", "cancelled"]
TrialStatus = Literal["running", "completed", "failed"]


class Trial(Resource):
    """One setting, tried as one job. `score`: mean validation score over all tasks after the last visit, higher is better."""

    number: int
    job_id: str
    parameters: Mapping[str, Scalar]
    status: TrialStatus
    score: float | None
    created_at: datetime
    finished_at: datetime | None


class BestTrial(Resource):
    """The trial with the highest score so far; of equal ones the first."""

    number: int
    job_id: str
    parameters: Mapping[str, Scalar]
    score: float


class TrialCounts(Resource):
    """How many of the `planned` trials are in each status; a search with few settings may end before all are made."""

    planned: int
    running: int
    completed: int
    failed: int


class SweepSummary(Record):
    """A sweep as lists show it: without its spec and its trials; `links.self` has the whole of it."""

    object: Literal["sweep"] = "sweep"
    name: str | None
    status: SweepStatus
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    num_trials: TrialCounts
    error: JobError | None
    request_id: str | None
    links: Mapping[str, str]


class Sweep(SweepSummary):
    """A sweep with its trials, by number.

    `best_job_spec` is the sweep's job with the best setting and its controls, evaluated on test data: submit it as it
    is to learn what the setting is worth.
    """

    spec: Annotated[Mapping[str, Any], ShownAs(SweepSpec)]
    trials: Sequence[Trial]
    best: BestTrial | None
    best_job_spec: Annotated[Mapping[str, Any] | None, ShownAs(SupervisedSpec | None)]


LAMBDA_ON_DIGITS: dict[str, Any] = {
    "name": "lambda for three permuted digit tasks",
    "job": {
        "seed": 0,
        "network": {"kind": "mlp", "hidden_sizes": [100, 100]},
        "training": {"learning_rate": 0.001, "batch_size": 32, "num_epochs": 10, "num_validation_examples": 200},
        "method": {"kind": "ewc", "ewc_lambda": 100.0},
        "controls": ["naive", "joint"],
        "tasks": [
            {"kind": "permuted", "dataset": "digits", "permutation": 0},
            {"kind": "permuted", "dataset": "digits", "permutation": 1},
            {"kind": "permuted", "dataset": "digits", "permutation": 2},
        ],
    },
    "search": {"method.ewc_lambda": {"kind": "float", "low": 1.0, "high": 100000.0, "log": True}},
    "sampler": "tpe",
    "num_trials": 16,
    "max_parallel": 2,
}
GRID: dict[str, Any] = {
    "job": {
        "training": {"num_epochs": 10, "batch_size": 32, "num_validation_examples": 200},
        "method": {"kind": "ewc", "ewc_lambda": 100.0},
        "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
    },
    "search": {
        "method.ewc_lambda": {"kind": "choices", "values": [1, 10, 100, 1000]},
        "training.learning_rate": {"kind": "choices", "values": [0.001, 0.01]},
    },
    "sampler": "grid",
    "num_trials": 8,
}
SWEEP_EXAMPLES: dict[str, Any] = {
    "lambda": {"summary": "The strength of EWC, over five orders of magnitude", "value": LAMBDA_ON_DIGITS},
    "grid": {"summary": "Every combination of a few values", "value": GRID},
}
