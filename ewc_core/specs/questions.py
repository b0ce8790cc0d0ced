"""Questions about what a job has learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ewc_core.specs.base import Spec

TaskIndex = Annotated[int, Field(ge=0, le=9999)]


class _Question(Spec):
    """What every question says of itself."""

    needs_constraint: ClassVar[bool] = False
    """Whether it is about constraints: there must be one."""

    @property
    def tasks_by_field(self) -> Mapping[str, int]:
        """The tasks that it names, which must have been learned, by field."""
        return {}

    @property
    def visit(self) -> int | None:
        """The visit after which the parameters are looked at; None for the last one."""
        return None


class OverlapAnalysis(_Question):
    """Fisher overlap 1 − d² of two tasks per layer, with its chance level (other parameters' Fishers, shuffled) and its
    ceiling (two halves of one task's examples). Both Fishers are taken at the same parameters: those after the last
    visit (`at_visit` None) or after the visit `at_visit`.

    Of an agent, both are exact Fishers of N(Q, 1) on `num_examples` states that it meets when it plays (None: 1000), over the
    weights that all tasks share. Beside it stands the overlap of the constraints as they are stored, each at the
    parameters of its own time.
    """

    kind: Literal["overlap"] = "overlap"
    first_task: TaskIndex = 0
    second_task: TaskIndex = 1
    at_visit: TaskIndex | None = None
    num_examples: Annotated[int, Field(ge=2)] | None = None

    @property
    def tasks_by_field(self) -> Mapping[str, int]:
        """Both tasks."""
        return {"first_task": self.first_task, "second_task": self.second_task}

    @property
    def visit(self) -> int | None:
        """As asked."""
        return self.at_visit


class PerturbationAnalysis(_Question):
    """Loss and score of one task under Gaussian noise on the parameters: uniform, shaped like the inverse Fisher, and in
    the null space of the Fisher, each beside the predicted increase ½ Σ F · Var.

    Every shape has the mean variance sigma². `ridge` is added to the Fisher before it is inverted; the null space is the
    `null_quantile` of parameters with the smallest Fisher. The Fisher is exact, on `num_examples` training examples
    (None: all); loss and score are those of the test examples.

    Of an agent, the noise is on the weights that all tasks share, the Fisher that of N(Q, 1) on `num_examples` states that it
    meets (None: 1000, and at least 2). The loss is ½ Σ_a (change of Q)² on them, from `num_draws` draws. The score is that
    of `num_episodes` whole episodes with another draw at every step (games only).
    """

    kind: Literal["perturbation"]
    task: TaskIndex = 0
    sigmas: list[Annotated[float, Field(gt=0.0, le=100.0)]] = Field(
        default=[0.001, 0.003, 0.01, 0.03, 0.1], min_length=1, max_length=32
    )
    num_draws: int = Field(default=20, ge=2, le=1000)
    num_episodes: int = Field(default=10, ge=1, le=1000)
    ridge: float = Field(default=1e-8, gt=0.0, le=1e6)
    null_quantile: float = Field(default=0.5, gt=0.0, lt=1.0)
    num_examples: Annotated[int, Field(ge=1)] | None = None

    @property
    def tasks_by_field(self) -> Mapping[str, int]:
        """The task."""
        return {"task": self.task}


class CapacityAnalysis(_Question):
    """Per layer, the share of movable directions that the merged precision has frozen.

    A precision freezes what a new task cannot move against it. How hard tasks pull is measured on those consolidated so
    far (evenly chosen where there are more than `max_tasks`), along `num_scores` random scores of each, over
    `num_examples` of its training examples.
    """

    needs_constraint: ClassVar[bool] = True

    kind: Literal["capacity"]
    num_scores: int = Field(default=64, ge=1, le=4096)
    num_examples: int = Field(default=256, ge=1, le=100_000)
    max_tasks: int = Field(default=8, ge=1, le=1000)


AnalysisQuestion = Annotated[OverlapAnalysis | PerturbationAnalysis | CapacityAnalysis, Field(discriminator="kind")]
