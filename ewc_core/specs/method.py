"""Methods: how a network is kept from forgetting (or is not).

Scale, everywhere: the data loss is a mean over examples, the Fisher a mean over examples of per-example squares, and
the penalty carries 1/2. So `ewc_lambda` = N_old / N_new is the Bayesian value; in practice much larger values help.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ewc_core.specs.base import Spec

Lambda = Annotated[
    float,
    Field(
        ge=0.0,
        le=1e12,
        description="how strongly old tasks hold the network: N_old / N_new is the Bayesian value, larger ones often help",
    ),
]


class PenaltyStep(StrEnum):
    """How the quadratic penalty enters a training step.

    `explicit` adds its gradient to the data gradient; `proximal` takes an implicit step on it after the data step,
    which is stable for any `ewc_lambda`.
    """

    EXPLICIT = "explicit"
    PROXIMAL = "proximal"


class FisherEstimator(StrEnum):
    """How the Fisher diagonal is estimated; always per example, never from a squared batch mean.

    `exact`: every label, weighted by the model. `sampled`: one label drawn from the model. `rademacher`: one backward
    pass with random signs; unbiased, a little less noisy than `sampled`. `empirical`: the observed label (not the
    Fisher: it vanishes as the loss does). `reversed`: the observed label with negated logits (EWC-DR).
    """

    EXACT = "exact"
    SAMPLED = "sampled"
    RADEMACHER = "rademacher"
    EMPIRICAL = "empirical"
    REVERSED = "reversed"


class Method(Spec):
    """What every method says of itself."""

    sums_tasks: ClassVar[bool] = False
    """Whether its constraint is one running sum over all tasks: single tasks cannot be masked, weighted or forgotten."""


class NaiveMethod(Method):
    """Plain training, task after task: the lower bound."""

    kind: Literal["naive"] = "naive"


class L2Method(Method):
    """Uniform precision: every parameter is tied to its anchor equally strongly."""

    kind: Literal["l2"] = "l2"
    ewc_lambda: Lambda
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class DropoutMethod(Method):
    """Plain training with dropout and early stopping, as the paper's comparison has it.

    After every epoch the mean validation error over all tasks seen is taken. When it has been above the best for
    `patience` epochs in a row, the visit ends; the weights of the best epoch are restored at its end in any case.
    Needs `training.num_validation_examples`.
    """

    kind: Literal["dropout"] = "dropout"
    input_rate: float = Field(default=0.2, ge=0.0, lt=1.0, description="share of the inputs that is dropped")
    hidden_rate: float = Field(default=0.5, ge=0.0, lt=1.0, description="share of the hidden units that is dropped")
    patience: int = Field(default=5, ge=1, le=1000)


class _FisherMethod(Method):
    ewc_lambda: Lambda
    fisher_estimator: FisherEstimator = FisherEstimator.EXACT
    fisher_num_examples: Annotated[int, Field(ge=1)] | None = None
    precision_floor: float = Field(default=0.0, ge=0.0, le=1e6)
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class EwcMethod(_FisherMethod):
    """Elastic weight consolidation, one constraint per task.

    `constraints` "separate" ties each task to its own anchor (Kirkpatrick et al.), "latest" ties the sum of all Fishers
    to the latest anchor (Huszár). `fisher_num_examples` None means every training example of the task.
    `precision_floor` is added to the precision of every parameter once a task is consolidated.
    """

    kind: Literal["ewc"] = "ewc"
    constraints: Literal["separate", "latest"] = "separate"


class OnlineEwcMethod(_FisherMethod):
    """Online EWC (Schwarz et al. 2018): one running Fisher F̃ ← fisher_decay · F̃ + F, tied to the latest anchor.

    The decay is applied once per consolidation. With `normalise` every task's Fisher is divided by its mean first, so
    that tasks of different scale weigh equally; `ewc_lambda` is then relative to a mean precision of 1.
    """

    sums_tasks: ClassVar[bool] = True

    kind: Literal["online_ewc"] = "online_ewc"
    fisher_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    normalise: bool = False


class SiMethod(Method):
    """Synaptic Intelligence (Zenke et al. 2017): importance is a parameter's share in lowering the loss along the path.

    Penalty strength · Σ Ω (θ − θ*)², without ½ as its authors write it; Ω = Σ_tasks max(ω, 0) / (Δ² + damping).
    """

    sums_tasks: ClassVar[bool] = True

    kind: Literal["si"] = "si"
    strength: Lambda = 0.1
    damping: float = Field(default=0.1, gt=0.0, le=1e6, description="keeps Ω bounded where a parameter hardly moved")
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class MasMethod(Method):
    """Memory Aware Synapses (Aljundi et al. 2018): importance is the mean over examples of |∂ ‖outputs‖² / ∂θ|.

    Penalty strength · Σ Ω (θ − θ*)², without ½ as its authors write it; Ω is summed over tasks.
    """

    sums_tasks: ClassVar[bool] = True

    kind: Literal["mas"] = "mas"
    strength: Lambda = 1.0
    num_examples: Annotated[int, Field(ge=1)] | None = None
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class JointMethod(Method):
    """Every task seen so far in every step: the upper bound, which needs the old data."""

    kind: Literal["joint"] = "joint"


MethodSpec = Annotated[
    NaiveMethod | L2Method | DropoutMethod | EwcMethod | OnlineEwcMethod | SiMethod | MasMethod | JointMethod,
    Field(discriminator="kind"),
]
