"""How an agent finds out which task it plays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ewc_core.specs.base import Spec


class OracleInference(Spec):
    """The agent is told."""

    kind: Literal["oracle"] = "oracle"


class _Inferred(Spec):
    num_levels: int = Field(default=8, ge=2, le=256)
    prior_count: float = Field(default=1.0, ge=1e-6, le=1e3)
    downscale: int = Field(default=2, ge=1, le=16)
    update_every: int = Field(default=4, ge=1, le=10_000)
    debounce: int = Field(default=2, ge=1, le=1000)


class FlatInference(_Inferred):
    """A hidden Markov model over tasks; each task is a categorical per symbol with a Dirichlet prior of `prior_count`.

    An observation is a frame shrunk by `downscale` and cut into `num_levels` grey levels, one every `update_every` agent
    steps. `window` observations are learned by the task that explains them best; an empty task always stands by, and becomes
    a new one when it wins by `margin` nats in `new_task_windows` windows in a row. Log-likelihoods are multiplied by `temper`
    before they are held against the prior, to which tasks seldom change. A change is believed after `debounce` windows in a
    row. At most `max_tasks` are known.

    Too many tasks are found: lower `temper`, raise `margin`, `new_task_windows` or `prior_count`, or take fewer `num_levels`.
    Two tasks that share most of their pixels are taken for one: raise `window`, or lower `prior_count`, so that the empty task
    learns fast enough to win. On Atari `num_levels` 16, `window` 8, `prior_count` 0.02 and `new_task_windows` 3 serve well.
    """

    kind: Literal["flat"]
    window: int = Field(default=4, ge=1, le=1000)
    temper: float = Field(default=1.0, gt=0.0, le=1.0)
    margin: float = Field(default=0.0, ge=0.0, le=1e6)
    new_task_windows: int = Field(default=2, ge=1, le=1000)
    max_tasks: int = Field(default=64, ge=1, le=1000)


class FmnInference(_Inferred):
    """The Forget-Me-Not process (Milan et al. 2016): a weighting over all binary partitions of time into segments, each
    explained by a mixture over a pool of up to `pool_size` learned predictors, `lineage_size` of them of one task, and a fresh
    one.

    Segments are up to 2^`depth` observations long; those of at least 2^`min_level` may enter the pool. After 2^`depth`
    observations a new partition begins, with the same pool. `reservoir_size` observations of each segment decide whether what
    it taught is redundant. A change is believed after `debounce` observations in a row.

    It recalls a task sooner than `flat`, at several times the cost. Too many tasks are found: raise `min_level`, so that a
    segment shows all that a task has to show, and `debounce`. Tasks are forgotten: raise `pool_size` to a few times their
    number, for what lies between two tasks takes places, too. On Atari `min_level` 7, `debounce` 16, `prior_count` 0.125 and
    `pool_size` 40 serve well for 10 games.
    """

    kind: Literal["fmn"]
    depth: int = Field(default=20, ge=1, le=30)
    pool_size: int = Field(default=16, ge=1, le=1000)
    lineage_size: int = Field(default=4, ge=1, le=1000)
    min_level: int = Field(default=5, ge=0, le=20)
    reservoir_size: int = Field(default=100, ge=1, le=10_000)


TaskInferenceSpec = Annotated[OracleInference | FlatInference | FmnInference, Field(discriminator="kind")]
