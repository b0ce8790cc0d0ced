"""The spec of an analysis: a question about what a job has learned, answered as a job of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ewc_core.specs.execution import ExecutionSpec, Slot
from ewc_core.specs.kind import JobKind
from ewc_core.specs.questions import AnalysisQuestion
from ewc_core.specs.supervised import JobName, Metadata


class AnalysisSpec(JobKind):
    """One question about the job `job_id` as its record stands when the analysis runs."""

    run: ClassVar[str] = "ewc_core.analysis.run:take_up"
    slot: ClassVar[Slot] = Slot.SHORT

    kind: Literal["analysis"]
    name: JobName | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="every random choice follows from it")
    num_threads: int = Field(default=1, ge=1, le=64, description="CPU threads; another number gives other last bits")
    execution: ExecutionSpec = ExecutionSpec()
    job_id: Annotated[str, Field(min_length=1, max_length=64)]
    question: AnalysisQuestion
    metadata: Metadata = Field(default={}, max_length=16)

    @property
    def asked_about(self) -> tuple[str, AnalysisQuestion]:
        """The job that it asks about, and what it asks."""
        return self.job_id, self.question
