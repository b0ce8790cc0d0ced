"""What a kind of job says of itself to whoever handles jobs of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from ewc_core.implementations import implementation
from ewc_core.specs.base import Spec
from ewc_core.specs.execution import Slot

if TYPE_CHECKING:
    from ewc_core.specs.any_task import AnyTaskSpec
    from ewc_core.specs.limits import JobLimits, JobSize
    from ewc_core.specs.network import NetworkSpec
    from ewc_core.specs.questions import AnalysisQuestion


class JobKind(Spec):
    """The base of the spec of every kind of job. A new kind is a subclass with its implementation, entered in `specs.job`."""

    run: ClassVar[str]
    """Where its implementation is, as "module:function": what `ewc_core.training.take_up` calls."""
    has_tasks: ClassVar[bool] = False
    """Whether it learns tasks, visit after visit, and leaves scores and checkpoints; any other kind has a result."""
    slot: ClassVar[Slot] = Slot.TRAINING
    """What it takes of a worker while it runs."""
    target: ClassVar[str | None] = None
    """Where what analyses of such a job look at is made, as "module:class": an `ewc_core.analysis.target.Target`."""
    answers: ClassVar[frozenset[str]] = frozenset()
    """The kinds of analyses that can be asked about such a job."""
    plugin_groups: ClassVar[tuple[str, ...]] = ()
    """Groups of entry points that any such job may use without naming them."""
    checked_by: ClassVar[str | None] = None
    """Where its check is, as "module:function", for kinds that can be checked before they are submitted: an
    `ewc_core.checking.findings.Look`."""

    sized_by: ClassVar[str | None] = None
    """Where the estimate of what it takes at least is, as "module:function" of the spec and `JobLimits`; it loads no torch."""

    @property
    def planned_tasks(self) -> Sequence[AnyTaskSpec]:
        """The tasks that the spec names, by index."""
        return ()

    @property
    def planned_visits(self) -> list[int]:
        """Task indices of the visits that the spec plans, in their order."""
        return []

    @property
    def is_open(self) -> bool:
        """Whether tasks may be announced while it runs."""
        return False

    @property
    def networks_by_field(self) -> Mapping[str, NetworkSpec]:
        """The networks that it needs, by the field that names them, where they may be plug-ins."""
        return {}

    @property
    def used_plugin_groups(self) -> tuple[str, ...]:
        """Groups of entry points that this job may use without naming them."""
        return self.plugin_groups

    @property
    def asked_about(self) -> tuple[str, AnalysisQuestion] | None:
        """The job that it asks about, and what it asks."""
        return None

    def least_size(self, limits: JobLimits) -> JobSize | None:
        """What it takes at least, as far as the spec alone tells; None where nothing does."""
        if self.sized_by is None:
            return None
        size: JobSize = implementation(self.sized_by)(self, limits)
        return size

    def check_next_task(self, seen: Sequence[AnyTaskSpec], task: AnyTaskSpec) -> None:
        """Check that an announced task fits a running job, as far as the specs alone say. Raises SpecError."""
        raise AssertionError(f"jobs of kind {type(self).__name__} have no tasks, so none can be announced")
