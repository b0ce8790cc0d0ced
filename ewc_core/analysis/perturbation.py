"""Gaussian noise on the parameters, shaped by the Fisher: what does the network survive?

Three shapes of the same power, mean variance σ² over all parameters (Kirkpatrick et al. 2017, figure 4C): if the Fisher
told the whole truth, noise where it is small would do no harm. The damage beyond ½ Σ F Var measures its overconfidence.
"""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor


class NoiseKind(StrEnum):
    """`uniform`: the same everywhere. `inverse`: variance in proportion to 1 / (F + ridge). `null`: only where F is small."""

    UNIFORM = "uniform"
    INVERSE = "inverse"
    NULL = "null"


def noise_deviations(kind: NoiseKind, fisher: Tensor, *, sigma: float, ridge: float, null_quantile: float) -> Tensor:
    """Standard deviation per parameter, float64 [num_parameters]; the mean of their squares is σ² for every kind.

    uniform: Var = σ². inverse: Var_i = s² / (F_i + ridge), s² = σ² n / Σ 1/(F_i + ridge); `ridge` has the Fisher's unit.
    null: Var = σ² n / |mask| on the mask of the `null_quantile` smallest entries (all that tie with the largest of them
    are in), 0 elsewhere.
    """
    values = fisher.double()
    if kind is NoiseKind.UNIFORM:
        shape = torch.ones_like(values)
    elif kind is NoiseKind.INVERSE:
        shape = 1.0 / (values + ridge)
    else:
        shape = (values <= null_cut(values, null_quantile)).double()
    return sigma * (shape / shape.mean()).sqrt()


def null_cut(fisher: Tensor, null_quantile: float) -> float:
    """The largest Fisher in the null space: that of the `null_quantile` smallest entries."""
    return float(fisher.double().kthvalue(max(1, math.ceil(null_quantile * len(fisher)))).values)


def predicted_increase(fisher: Tensor, deviations: Tensor) -> float:
    """½ Σ_i F_i Var_i: the mean increase of the loss (nats per example) to second order, if the diagonal were all."""
    return 0.5 * float(torch.dot(fisher.double(), deviations.square()))


def draw_noise(deviations: Tensor, generator: torch.Generator) -> Tensor:
    """One draw with these deviations, float64. Equal generators give the same normals, scaled; mutates the generator."""
    return deviations * torch.randn(len(deviations), generator=generator, dtype=torch.float64)
