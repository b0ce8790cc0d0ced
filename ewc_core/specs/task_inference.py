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
    prior_count: float = Field(default=1.0, gt=0.0, le=1e3)
    downscale: int = Field(default=2, ge=1, le=16)
    update_every: int = Field(default=4, ge=1, le=10_000)
    debounce: int = Field(default=2, ge=1, le=1000)


class FlatInference(_Inferred):
    """A hidden Markov model over tasks; each task is a categorical per symbol with a Dirichlet prior of `prior_count`.

    An observation is a frame shrunk by `downscale` and cut into `num_levels` grey levels, one every `update_every` agent
    steps. `window` observations are learned by the task that explains them best; an empty task always stands by, and becomes
    a new one when it wins by `margin` nats, and again in the next window. Log-likelihoods are multiplied by `temper` in the
    posterior. A change is believed after `debounce` windows in a row. At most `max_tasks` are known.
    """

    kind: Literal["flat"]
    window: int = Field(default=4, ge=1, le=1000)
    temper: float = Field(default=1.0, gt=0.0, le=1.0)
    margin: float = Field(default=0.0, ge=0.0, le=1e6)
    max_tasks: int = Field(default=64, ge=1, le=1000)


class FmnInference(_Inferred):
    """The Forget-Me-Not process (Milan et al. 2016): a weighting over all binary partitions of time into segments, each
    explained by a mixture over a pool of up to `pool_size` learned models and a fresh one.

    `depth` bounds the number of observations, 2^depth. Segments of at least 2^`min_level` observations may enter the pool,
    where `reservoir_size` of their observations decide what is redundant. A change is believed after `debounce` observations
    in a row.
    """

    kind: Literal["fmn"]
    depth: int = Field(default=20, ge=1, le=30)
    pool_size: int = Field(default=16, ge=1, le=1000)
    min_level: int = Field(default=5, ge=0, le=20)
    reservoir_size: int = Field(default=100, ge=1, le=10_000)


TaskInferenceSpec = Annotated[OracleInference | FlatInference | FmnInference, Field(discriminator="kind")]
