"""The spec of an association job: how long a readout remembers random patterns, rule by rule."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ewc_core.specs.base import Spec
from ewc_core.specs.execution import ExecutionSpec
from ewc_core.specs.kind import JobKind
from ewc_core.specs.supervised import JobName, Metadata


class GradientDescentRule(Spec):
    """W ← W − rate · (x·W − y) x; `rate` None means n/(n+1), the implicit step with the constant metric 1/n."""

    kind: Literal["gd"] = "gd"
    rate: Annotated[float, Field(gt=0.0, lt=2.0)] | None = None


class EwcRule(Spec):
    """Rate n/(n+t): the metric is the total Fisher of the patterns seen."""

    kind: Literal["ewc"] = "ewc"


class OnlineEwcRule(Spec):
    """Rate 1/(1 + N_t), N_t = fisher_decay · N_{t−1} + 1/n: forgets gracefully instead of all at once."""

    kind: Literal["online_ewc"] = "online_ewc"
    fisher_decay: float = Field(default=0.999, gt=0.0, lt=1.0)


class CascadeRule(Spec):
    """Binary synapses with `num_levels` levels of metaplasticity (Fusi, Drew and Abbott 2005).

    Chances halve from level to level; up to 24 levels float32 random numbers meet them exactly.
    """

    kind: Literal["cascade"] = "cascade"
    num_levels: int = Field(default=10, ge=1, le=24)


AssociationRule = Annotated[
    GradientDescentRule | EwcRule | OnlineEwcRule | CascadeRule,
    Field(discriminator="kind"),
]


class AssociationSpec(JobKind):
    """`num_synapses` synapses see one random pattern a step; each rule is simulated `num_repeats` times, and beside it
    stand the exact recursion at finite n and the closed forms (for the cascade: its own exact mean and variance)."""

    run: ClassVar[str] = "ewc_core.association.run:take_up"
    checked_by: ClassVar[str | None] = "ewc_core.association.check:look"

    kind: Literal["association"]
    name: JobName | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="every random choice follows from it")
    num_threads: int = Field(default=1, ge=1, le=64, description="CPU threads; another number gives other last bits")
    execution: ExecutionSpec = ExecutionSpec()
    num_synapses: int = Field(default=1000, ge=10, le=20_000)
    num_patterns: int = Field(default=6000, ge=2, le=50_000)
    num_repeats: int = Field(default=400, ge=2, le=10_000)
    rules: list[AssociationRule] = Field(
        default=[GradientDescentRule(), GradientDescentRule(rate=0.5), EwcRule(), OnlineEwcRule()], min_length=1, max_length=8
    )
    metadata: Metadata = Field(default={}, max_length=16)

    @model_validator(mode="after")
    def _rules_differ(self) -> AssociationSpec:
        titles = [rule_title(rule) for rule in self.rules]
        if len(set(titles)) != len(titles):
            raise ValueError(f"rules {titles} must differ from each other")
        return self


def rule_title(rule: AssociationRule) -> str:
    """A short name that tells rules of one job apart: it is the `method` of their curves."""
    if isinstance(rule, GradientDescentRule):
        return "gd" if rule.rate is None else f"gd_{rule.rate:g}"
    if isinstance(rule, OnlineEwcRule):
        return f"online_ewc_{rule.fisher_decay:g}"
    return f"cascade_{rule.num_levels}" if isinstance(rule, CascadeRule) else rule.kind
