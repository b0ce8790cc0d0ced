"""Figure 4C: what an agent scores with noise on its weights, and how far its Q-values move, measured and predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import agent_note
from ewc_client.job import Job
from ewc_client.models import Body

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (5.8, 6.2)
RETURN, CHANGE = "return", "change"
NONE = "without_noise"
_PREDICTED = "_predicted"
_NAMES = {"uniform": "uniform", "inverse": "inverse Fisher", "null": "null space of the Fisher"}
_COLOURS = {"uniform": "black", "inverse": "tab:blue", "null": "tab:orange"}


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """Of the perturbation analysis of the job "agent": mean return against sigma per shape of the noise, with one standard
    error; and the mean change of the Q-values, measured and predicted.

    Raises:
        FigureError: the job does not play games.
    """
    part, answer = next(iter(answers.items()))
    job, body = jobs[part], answer.result().body
    if "return" not in body:
        raise FigureError(f"part {part!r}, job {job.id}: it is of kind {job.kind!r}; this figure needs a reinforcement job")
    rows: list[Body] = body["noise"]
    sigmas = sorted({float(row["sigma"]) for row in rows})
    curves = [_curve(rows, RETURN, noise, "mean_return", "return_standard_error") for noise in _NAMES]
    curves.append(Curve(RETURN, NONE, "no noise", [sigmas[0], sigmas[-1]], [float(body["return"])] * 2))
    curves += [_curve(rows, CHANGE, noise, "mean_loss_increase", "standard_error") for noise in _NAMES]
    curves += [_curve(rows, CHANGE, noise, "predicted_loss_increase", None) for noise in _NAMES]
    return Plot(curves, score="mean return", notes=_notes(job, body))


def draw(figure: Figure, plot: Plot) -> None:
    """Returns above; below, the change of Q-values: measured with markers, predicted as dashed lines."""
    top, bottom = figure.subplots(2, 1, sharex=True)
    for curve in plot.panel(RETURN):
        if curve.name == NONE:
            top.axhline(curve.y[0], color="0.6", linestyle=":", linewidth=1.0, label=curve.label)
        else:
            top.errorbar(curve.x, curve.y, yerr=curve.yerr, fmt="o-", color=_COLOURS[curve.name], label=curve.label,
                         markersize=3.5, capsize=2, elinewidth=0.8)  # fmt: skip
    for curve in plot.panel(CHANGE):
        kind = curve.name.removesuffix(_PREDICTED)
        style = "--" if curve.name.endswith(_PREDICTED) else "o-"
        bottom.plot(curve.x, curve.y, style, color=_COLOURS[kind], label=curve.label, markersize=3.5, linewidth=1.1)
    top.set(xscale="log", ylabel=plot.score)
    top.legend(loc="lower left", title="noise")
    bottom.set(yscale="log", xlabel="standard deviation of the noise, σ", ylabel="change of Q-values, ½ Σₐ ΔQ²")
    bottom.legend(loc="upper left", fontsize=7)


def _curve(rows: list[Body], panel: str, noise: str, value: str, error: str | None) -> Curve:
    """What a row says as None has been no number, and is left out."""
    known = sorted((float(row["sigma"]), row[value], row[error] if error else None) for row in rows if row["noise"] == noise
                   and row[value] is not None)  # fmt: skip
    predicted = value.startswith("predicted")
    what = ", predicted" if predicted else ", measured" if panel == CHANGE else ""
    errors = [0.0 if one is None else float(one) for _, _, one in known] if error else None
    name = noise + (_PREDICTED if predicted else "")
    return Curve(panel, name, _NAMES[noise] + what, [x for x, _, _ in known], [float(y) for _, y, _ in known], errors)


def _notes(job: Job, body: Body) -> list[str]:
    null = body["null_space"]
    return [
        agent_note(job.spec),
        f"task {body['task']}; {body['num_episodes']} episodes a point, another draw at every step; exploration "
        f"{body['exploration_epsilon']:g}; Fisher on {body['num_examples']} states; ½ΔQ² from {body['num_draws']} draws",
        f"σ² is the mean variance over all shared weights, for every shape; ridge {body['ridge']:g}; null space: "
        f"F ≤ {null['cut']:.2g}, {100 * null['share']:.0f} % of the weights",
    ]
