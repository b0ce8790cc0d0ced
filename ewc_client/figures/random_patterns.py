"""Figure 2: the first pattern's signal-to-noise ratio, and the fraction of patterns retained, against patterns seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, rule_label, rule_title
from ewc_client.job import Job
from ewc_client.models import Body, Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SNR, RETAINED, IDEAL = "first_pattern_snr", "fraction_retained", "sqrt_n_over_t"
SIZE = (9.0, 3.9)
_LOWEST_SNR = 0.05
_ALL_POINTS = 10_000


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """The curves of the association job "rules": simulated values with one standard error of the SNR, and exact ones
    (`_theory`)."""
    job = jobs["rules"]
    points = job.metrics(max_points=_ALL_POINTS)
    spec, landmarks = job.spec, job.result().body["rules"]
    num_synapses = int(spec["num_synapses"])
    curves = [
        curve
        for panel in (SNR, RETAINED)
        for rule in spec["rules"]
        for curve in _curves(panel, rule, points, num_repeats=spec["num_repeats"])
    ]
    times = sorted({point.step for point in points})
    ideal = [math.sqrt(num_synapses / t) for t in times]
    curves.append(Curve(SNR, IDEAL, "√(n/t)", times, ideal))
    blackout = landmarks.get("ewc", {}).get("landmarks", {}).get("blackout_at")
    marks = {"capacity": (float(num_synapses),), "blackout": () if blackout is None else (float(blackout),)}
    note = f"n = {num_synapses} synapses, {spec['num_repeats']} repeats (markers), exact recursion (lines); seed {spec['seed']}"
    return Plot(curves, marks, notes=(note,))


def draw(figure: Figure, plot: Plot) -> None:
    """Two panels side by side: SNR (both axes logarithmic) and fraction retained, with the capacity and the blackout."""
    left, right = figure.subplots(1, 2)
    for axes, panel in ((left, SNR), (right, RETAINED)):
        for curve in plot.panel(panel):
            _draw_curve(axes, curve)
        for capacity in plot.marks["capacity"]:
            axes.axvline(capacity, color="0.6", linewidth=0.8, linestyle="--")
    left.set(xscale="log", yscale="log", xlabel="patterns seen, t", ylabel="SNR of the first pattern")
    left.set_ylim(bottom=_LOWEST_SNR)
    left.axhline(1.0, color="0.6", linewidth=0.8)
    left.legend(loc="lower left")
    right.set(xlabel="patterns seen, t", ylabel="fraction of patterns with SNR > 1", ylim=(-0.03, 1.05))
    for capacity in plot.marks["capacity"]:
        right.annotate("capacity t = n", (capacity, 1.04), xytext=(3, 0), textcoords="offset points", fontsize=7)
    for blackout in plot.marks["blackout"]:
        right.axvspan(blackout, right.get_xlim()[1], color=colour("ewc"), alpha=0.07, linewidth=0)
        right.annotate(f"EWC: blackout from t = {blackout:.0f}", (blackout, 0.95), xytext=(3, 0), textcoords="offset points",
                       fontsize=7)  # fmt: skip


def _curves(panel: str, rule: Body, points: list[Metric], *, num_repeats: int) -> Iterator[Curve]:
    title, label = rule_title(rule), rule_label(rule)
    for name, what, suffix in ((panel, f"{label}", ""), (f"{panel}_theory", f"{label}, exact", "_theory")):
        found = sorted((point.step, point.value) for point in points if (point.method, point.name) == (title, name))
        times, values = [step for step, _ in found], [value for _, value in found]
        errors = [math.sqrt((1.0 + snr * snr / 2.0) / num_repeats) for snr in values] if name == SNR else None
        yield Curve(panel, f"{title}{suffix}", what, times, values, errors)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    if curve.name == IDEAL:
        axes.plot(curve.x, curve.y, ":", color="black", label=curve.label)
    elif curve.name.endswith("_theory"):
        axes.plot(curve.x, curve.y, "-", color=colour(curve.name.removesuffix("_theory")))
    else:
        axes.plot(curve.x, curve.y, "o", color=colour(curve.name), label=curve.label, markersize=3.0, markeredgewidth=0.0)
