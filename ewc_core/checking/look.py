"""What looking a job over has found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ewc_core.errors import EwcError
from ewc_core.events import Warned
from ewc_core.specs import JobSpec
from ewc_core.specs.limits import JobSize
from ewc_core.training.stored import StoredJob


@dataclass(frozen=True)
class Look:
    """All that is wrong with a job, its warnings before the first step, and what it takes as far as that is known: `size`, and
    `seconds` on the machine that looked, on which other jobs may have run."""

    mistakes: Sequence[EwcError]
    warnings: Sequence[Warned] = ()
    size: JobSize | None = None
    seconds: float | None = None

    def body(self) -> dict[str, Any]:
        """As JSON has it; numbers are finite."""
        size = self.size
        return {
            "is_runnable": not self.mistakes,
            "mistakes": [
                {"code": error.code, "field": error.field or None, "message": str(error), "retryable": error.retryable}
                for error in self.mistakes
            ],
            "warnings": [{"code": warned.code, "message": warned.message} for warned in self.warnings],
            "estimate": {
                "num_parameters": None if size is None else size.num_parameters,
                "memory_bytes": None if size is None else size.memory_bytes,
                "disk_bytes": None if size is None else size.disk_bytes,
                "seconds": self.seconds if self.seconds is not None and math.isfinite(self.seconds) else None,
            },
        }


class LookOver(Protocol):
    """What `JobKind.checked_by` names: looks a job over, whose `stored` has the data directory and the limits of a job, and
    nothing else of it."""

    def __call__(self, spec: JobSpec, stored: StoredJob) -> Look: ...
