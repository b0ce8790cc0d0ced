"""What a job with tasks brings to the visit loop: data or games, and the networks that learn them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from ewc_core.errors import EwcError
from ewc_core.events import Event, Visit
from ewc_core.specs.any_task import AnyTaskSpec


@dataclass(frozen=True)
class Place:
    """Where a run stands: `step` of visit `visit_index` is done (0: the visit has not begun), `visited` are the tasks of the
    visits that are over, in the order of their last ones, and `visiting` that of the visit under way (None between visits).
    `digests` are those of the data read up to there, by name; early versions kept none."""

    visit_index: int
    step: int
    visited: Sequence[int]
    visiting: int | None
    digests: Mapping[str, str]


class Problem(Protocol):
    """The networks of a job (its method's and its controls') and what they learn from. The loop calls `require`, `num_steps`
    and `enter`, then `advance` again and again, then `consolidate`, `evaluate` and `leave`, visit after visit.

    A visit that was resumed is entered again, at its step.
    """

    can_capture_anywhere: bool
    """Whether the state is whole at every event, and not only between two steps."""

    @property
    def methods(self) -> Sequence[str]:
        """What is trained: the method first, then the controls."""

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of all data read."""

    @property
    def is_over(self) -> bool:
        """Whether the visit ends here, though steps are left."""

    @property
    def is_point_due(self) -> bool:
        """Whether a resume point must be kept before the run goes on for long."""

    def require(self, visit: Visit) -> None:
        """Know the visit's task, a new one or a known one. Raises SpecError or DataChanged when it cannot be learned."""

    def num_steps(self, visit: Visit) -> int:
        """How many steps the visit takes if nothing cuts it short."""

    def num_examples(self, num_steps: int) -> int:
        """How many examples, counted with repetition, or agent steps, so many steps have seen."""

    def enter(self, visit: Visit, *, step: int, seen: Sequence[int]) -> Iterator[Event]:
        """Begin the visit, or go on after `step` steps; `seen` are all tasks visited so far, this one included."""

    def advance(self, visit: Visit, *, step: int, num_steps: int) -> Generator[Event, None, int]:
        """Make the step after `step` of `num_steps`; ends with how many were made at once."""

    def consolidate(self, visit: Visit) -> Iterator[Event]:
        """Estimate the Fisher and add the constraint, for methods that have one."""

    def evaluate(self, visit: Visit) -> Iterator[Event]:
        """A row of the score matrix for every network."""

    def leave(self, visit: Visit) -> Iterator[Event]:
        """The visit is over: let go of what was held for it."""

    def weights(self, method: str) -> dict[str, Tensor]:
        """One network's parameters by name, as they are now: they move with the network."""

    def weigh(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks count so often from the next visit on; the others count once."""

    def state(self, *, in_visit: bool) -> dict[str, Tensor]:
        """Everything that the rest depends on, besides the spec, the data and the stored constraints, as it is now: the tensors
        may change with the next step."""

    def load_state(self, tensors: Mapping[str, Tensor], place: Place, tasks: Sequence[AnyTaskSpec]) -> None:
        """Go on from a copy of what `state` gave, whose tensors are read one after the other. `tasks` are all tasks of the job,
        announced ones included.

        Raises:
            StateFormatError: the state is not one of a job with this spec.
            ParameterMismatch: its tensors do not fit the network.
            SpecError, DataChanged: a task can no longer be learned.
        """

    def files(self) -> Mapping[str, Path]:
        """Files that belong to the state, by a name that another run of the same spec has for them, too."""

    def point_kept(self) -> None:
        """A resume point of the present state is stored: what only earlier ones needed may go."""

    def blamed(self, error: BaseException) -> EwcError | None:
        """The error of a user's code that `error` is; None for one of ours."""
