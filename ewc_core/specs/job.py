"""The registry of kinds of jobs, and the job spec: what a platform submits, of whatever kind."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Discriminator, Tag, TypeAdapter

from ewc_core.specs.analysis import AnalysisSpec
from ewc_core.specs.association import AssociationSpec
from ewc_core.specs.check import CheckSpec
from ewc_core.specs.kind import JobKind
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.specs.supervised import SupervisedSpec


def _kind_of_job(value: Any) -> str | None:
    kind = value.get("kind", "supervised") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


JobSpec = Annotated[
    Annotated[SupervisedSpec, Tag("supervised")]
    | Annotated[ReinforcementSpec, Tag("reinforcement")]
    | Annotated[AssociationSpec, Tag("association")]
    | Annotated[AnalysisSpec, Tag("analysis")]
    | Annotated[CheckSpec, Tag("check")],
    Discriminator(
        _kind_of_job,
        custom_error_type="job_kind",
        custom_error_message=(
            "a job's 'kind' is 'supervised' (the default), 'reinforcement', 'association', 'analysis' or 'check'"
        ),
    ),
]
JOB_SPEC: TypeAdapter[SupervisedSpec | ReinforcementSpec | AssociationSpec | AnalysisSpec | CheckSpec] = TypeAdapter(JobSpec)
"""Validates, and makes the JSON Schema of, a job spec of any kind."""

LearningSpec = SupervisedSpec | ReinforcementSpec
"""Jobs with tasks: they learn visit after visit, and leave a score matrix and checkpoints."""

_SPECS: tuple[type[JobKind], ...] = (SupervisedSpec, ReinforcementSpec, AssociationSpec, AnalysisSpec, CheckSpec)
JOB_KINDS: dict[str, type[JobKind]] = {get_args(spec.model_fields["kind"].annotation)[0]: spec for spec in _SPECS}
"""The registry: every kind of job by its name."""
