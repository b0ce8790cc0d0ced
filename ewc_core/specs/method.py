"""Methods: how a network is kept from forgetting (or is not).

Scale, everywhere: the data loss is a mean over examples, the Fisher a mean over examples of per-example squares, and
the penalty carries 1/2. So `ewc_lambda` = N_old / N_new is the Bayesian value; in practice much larger values help.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ewc_core.specs.base import Spec

Lambda = Annotated[float, Field(ge=0.0, le=1e12)]


class PenaltyStep(StrEnum):
    """How the quadratic penalty enters a training step.

    `explicit` adds its gradient to the data gradient; `proximal` takes an implicit step on it after the data step,
    which is stable for any `ewc_lambda`.
    """

    EXPLICIT = "explicit"
    PROXIMAL = "proximal"


class NaiveMethod(Spec):
    """Plain training, task after task: the lower bound."""

    kind: Literal["naive"] = "naive"


class L2Method(Spec):
    """Uniform precision: every parameter is tied to its anchor equally strongly."""

    kind: Literal["l2"] = "l2"
    ewc_lambda: Lambda
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class EwcMethod(Spec):
    """Elastic weight consolidation with the exact Fisher and one constraint per task.

    `fisher_num_examples` None means every training example of the task.
    """

    kind: Literal["ewc"] = "ewc"
    ewc_lambda: Lambda
    fisher_num_examples: Annotated[int, Field(ge=1)] | None = None
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class JointMethod(Spec):
    """Every task seen so far in every step: the upper bound, which needs the old data."""

    kind: Literal["joint"] = "joint"


MethodSpec = Annotated[NaiveMethod | L2Method | EwcMethod | JointMethod, Field(discriminator="kind")]
