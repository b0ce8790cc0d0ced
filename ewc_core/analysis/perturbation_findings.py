"""What is said of noise of one shape and one size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ewc_core.analysis.perturbation import NoiseKind
from ewc_core.training.units import CurvePoint

Row = dict[str, object]
SCALE = "sigma² is the mean variance over all parameters that are perturbed, for every shape"
"""How the sizes of the three shapes compare: by their whole power."""
_CURVES = {"mean_loss_increase": "loss_increase", "predicted_loss_increase": "predicted_loss_increase", "mean_score": "score"}


def noise_row(kind: NoiseKind, sigma: float, increases: Tensor, *, predicted: float) -> Row:
    """Loss increases [num_draws] as mean and standard error, beside the predicted one. What is not finite is None, and
    `num_diverged` counts such draws."""
    finite = increases[increases.isfinite()]
    whole = len(finite) == len(increases)
    return {
        "noise": kind.value,
        "sigma": sigma,
        "mean_loss_increase": finite_or_none(float(increases.mean())),
        "standard_error": float(increases.std()) / len(increases) ** 0.5 if whole else None,
        "predicted_loss_increase": predicted,
        "num_diverged": len(increases) - len(finite),
    }


def null_space(cut: float, deviations: Tensor, *, quantile: float) -> Row:
    """Which entries noise in the null space moves: those whose Fisher is at most `cut`, a `share` of all, all with the same
    deviation, larger than sigma by 1 / √share, so that the whole noise has the power of the uniform one."""
    return {
        "quantile": quantile,
        "cut": cut,
        "share": float((deviations > 0.0).double().mean()),
    }


def noise_curves(rows: Sequence[Row], sigmas: Sequence[float], more: Mapping[str, str] | None = None) -> list[CurvePoint]:
    """A curve per shape and value, whose step is the position of sigma in `sigmas`; `more` names further fields of rows."""
    return [
        CurvePoint(method=str(row["noise"]), name=name, step=sigmas.index(float(str(row["sigma"]))), value=value)
        for row in rows
        for key, name in {**_CURVES, **(more or {})}.items()
        if isinstance(value := row[key], float)
    ]


def finite_or_none(value: float) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if -float("inf") < value < float("inf") else None
