"""Requests and bodies of analyses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api.jobs.schemas import JobError
from api.results.schemas import Result
from api.schemas import Record
from ewc_core.specs import (
    AnalysisQuestion,
    AnalysisSpec,
    CapacityAnalysis,
    ExecutionSpec,
    OverlapAnalysis,
    PerturbationAnalysis,
    Spec,
)
from ewc_core.specs.supervised import JobName
from store.job_states import JobStatus


class _Ask(Spec):
    name: JobName | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    execution: ExecutionSpec = ExecutionSpec()

    def spec_about(self, job_id: str) -> AnalysisSpec:
        """The spec of the job that answers this question about `job_id`."""
        asked = self.model_dump()
        beside = {name: asked.pop(name) for name in ("name", "seed", "execution")}
        return AnalysisSpec.model_validate({"kind": "analysis", **beside, "job_id": job_id, "question": asked})


class AskOverlap(_Ask, OverlapAnalysis):
    __doc__ = OverlapAnalysis.__doc__


class AskPerturbation(_Ask, PerturbationAnalysis):
    __doc__ = PerturbationAnalysis.__doc__


class AskCapacity(_Ask, CapacityAnalysis):
    __doc__ = CapacityAnalysis.__doc__


AnalysisRequest = Annotated[AskOverlap | AskPerturbation | AskCapacity, Field(discriminator="kind")]


class Analysis(Record):
    """A question about the job `job_id`. `id` is that of the job that answers it; `result` is null until it has."""

    object: Literal["analysis"] = "analysis"
    job_id: str
    name: str | None
    seed: int
    question: AnalysisQuestion
    status: JobStatus
    error: JobError | None
    result: Result | None
    created_at: datetime
    finished_at: datetime | None
    links: Mapping[str, str]


ANALYSIS_EXAMPLES: dict[str, Any] = {
    "overlap": {
        "summary": "Which layers two tasks share",
        "value": {"kind": "overlap", "first_task": 0, "second_task": 1, "num_examples": 1000},
    },
    "perturbation": {
        "summary": "How much noise on its parameters a task bears",
        "value": {"kind": "perturbation", "task": 0, "sigmas": [0.003, 0.01, 0.03], "num_draws": 10},
    },
    "capacity": {"summary": "How much of each layer is frozen", "value": {"kind": "capacity", "name": "capacity so far"}},
}
