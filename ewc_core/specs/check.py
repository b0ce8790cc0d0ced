"""The spec of a check: what would become of a job, without its hours."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from ewc_core.specs.association import AssociationSpec
from ewc_core.specs.execution import ExecutionSpec, Slot
from ewc_core.specs.kind import JobKind
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.specs.supervised import JobName, Metadata, SupervisedSpec


def _kind_of_checked(value: Any) -> str | None:
    kind = value.get("kind", "supervised") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


CheckedSpec = Annotated[
    Annotated[SupervisedSpec, Tag("supervised")]
    | Annotated[ReinforcementSpec, Tag("reinforcement")]
    | Annotated[AssociationSpec, Tag("association")],
    Discriminator(
        _kind_of_checked,
        custom_error_type="checked_kind",
        custom_error_message="a checked job's 'kind' is 'supervised' (the default), 'reinforcement' or 'association'",
    ),
]
"""Jobs that take long enough to be checked before."""


class CheckSpec(JobKind):
    """What is wrong with the job `job`, all of it at once, and about how much memory, disk and time it will take.

    Its data are read, its network is tried and its environments are opened as when it is taken up; then it makes a few
    steps that are thrown away. Nothing is learned.
    """

    run: ClassVar[str] = "ewc_core.checking.run:take_up"
    slot: ClassVar[Slot] = Slot.SHORT

    kind: Literal["check"]
    name: JobName | None = None
    num_threads: int = Field(default=1, ge=1, le=64, description="CPU threads of the steps that are timed")
    execution: ExecutionSpec = ExecutionSpec()
    job: CheckedSpec
    metadata: Metadata = Field(default={}, max_length=16)

    @property
    def used_plugin_groups(self) -> tuple[str, ...]:
        """Those of the job."""
        return self.job.used_plugin_groups
