"""Results of jobs without tasks as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType

from ewc_client.findings import Result
from ewc_client.fitting_table import FittingTable
from ewc_client.models import Body
from ewc_client.score_tables import percent
from ewc_client.terminal import Text
from ewc_client.visible_text import visible_json

_NONE = "·"


def result_view(result: Result) -> RenderableType:
    """The findings, laid out by their kind; of a kind that this version does not know, as they came."""
    view = _VIEWS.get(result.kind)
    return Group(*visible_json(result.body).split("\n")) if view is None else view(result.body)


def _association(body: Body) -> RenderableType:
    """One row per rule: when it begins to forget, when nothing is left, and how well simulation and theory agree."""
    rules: Mapping[str, Body] = body["rules"]
    slopes = {(one["from"], one["to"]): None for rule in rules.values() for one in rule["first_pattern_snr_slopes"]}
    headings = ["first lost at", "nothing left at", "retained at n", *(f"SNR slope {start}-{stop}" for start, stop in slopes)]
    has_ewc = bool(body.get("ewc_falls_below_at"))
    table = FittingTable(["rule", *headings, *(["ewc below it from"] if has_ewc else []), "largest error"])
    for title, rule in rules.items():
        slope_of = {(one["from"], one["to"]): one["theory"] for one in rule["first_pattern_snr_slopes"]}
        landmarks = rule["landmarks"]
        cells = [_count(landmarks["first_lost_at"]), _count(landmarks["blackout_at"])]
        cells += [percent(rule["fraction_retained_at_capacity"]), *(_number(slope_of.get(place), "+.2f") for place in slopes)]
        cells += [_count(body["ewc_falls_below_at"].get(title))] if has_ewc else []
        table.add_row(title, *cells, _largest_error(rule))
    what = (
        f"{body['num_synapses']} synapses, {body['num_patterns']} patterns, {body['num_repeats']} repeats. "
        "Times count patterns; retained: % of the patterns seen after n of them. largest error: of the simulation "
        "against the exact recursion, in standard errors."
    )
    return Group(Text(what), Text(), table)


def _largest_error(rule: Body) -> str:
    checks = [*rule["first_pattern_snr_checks"], *rule.get("weight_norm_checks", [])]
    errors = [check["num_standard_errors"] for check in checks if check["num_standard_errors"] is not None]
    return _number(max(errors, default=None), ".1f")


def _overlap(body: Body) -> RenderableType:
    """One row per layer, between chance and the ceiling that the number of examples sets."""
    stored: Mapping[str, Any] | None = body.get("stored")
    headings = ["overlap", "chance", "ceiling of first", "ceiling of second", *([] if stored is None else ["stored"])]
    kept = {} if stored is None else dict(_layers_and_whole(stored))
    table = FittingTable(["layer", *headings])
    for name, row in _layers_and_whole(body):
        ceiling = row["ceiling"]
        values = [row["overlap"], row["chance"]["shuffled"], ceiling["first"], ceiling["second"]]
        values += [] if stored is None else [kept[name]["overlap"]]
        table.add_row(name, *(_number(value, ".3f") for value in values))
    sizes = body["num_examples"]
    what = (
        f"Fisher overlap of task {body['first_task']} ({sizes['first']} examples) and task {body['second_task']} "
        f"({sizes['second']} examples). 1: the same parameters matter to both; chance: the second Fisher shuffled in each "
        "layer; ceiling: two halves of one task's examples."
    )
    if stored is not None:
        what += " stored: the overlap of the two constraints, each at the parameters of its own time."
    return Group(Text(what), Text(), table)


def _perturbation(body: Body) -> RenderableType:
    """One row per shape and size of the noise."""
    if "return" in body:
        return _perturbed_agent(body)
    table = FittingTable(["noise", "sigma", "loss rises by", "±", "predicted", "score", "diverged"])
    for row in body["noise"]:
        score, diverged = percent(row["mean_score"]), str(row["num_diverged"] or "")
        table.add_row(str(row["noise"]), *_size_and_increase(row), score, diverged)
    what = (
        f"Task {body['task']} under noise on the parameters, {body['num_draws']} draws each; without noise: loss "
        f"{_number(body['loss'], '.4f')}, score {percent(body['score'])} %. predicted: half of Fisher times variance."
    )
    return Group(Text(what), Text(), table)


def _perturbed_agent(body: Body) -> RenderableType:
    """Returns beside the change of the Q-values."""
    table = FittingTable(["noise", "sigma", "½ΔQ²", "±", "predicted", "return", "±", "diverged"])
    for row in body["noise"]:
        returns = (_number(row["mean_return"], ".4g"), _number(row["return_standard_error"], ".2g"))
        table.add_row(str(row["noise"]), *_size_and_increase(row), *returns, str(row["num_diverged"] or ""))
    null = body["null_space"]
    what = (
        f"Task {body['task']} with noise on the shared weights, drawn anew at every step of {body['num_episodes']} episodes; "
        f"return without noise: {_number(body['return'], '.4g')}. sigma²: the mean variance over all shared weights. ½ΔQ²: how "
        f"far Q-values move, beside what half of Fisher times variance predicts. null: noise on the {percent(null['share'])} % "
        f"of the weights whose Fisher is at most {null['cut']:.2g} alone."
    )
    return Group(Text(what), Text(), table)


def _size_and_increase(row: Body) -> list[str]:
    values = (row["mean_loss_increase"], row["standard_error"], row["predicted_loss_increase"])
    return [f"{row['sigma']:g}", *(_number(value, ".3g") for value in values)]


def _capacity(body: Body) -> RenderableType:
    """One row per layer: how much of it the constraints have frozen."""
    table = FittingTable(["layer", "frozen", "mean precision", "pull of a task", "parameters"])
    for name, row in _layers_and_whole(body):
        numbers = (_number(row.get(field), ".3g") for field in ("mean_precision", "curvature"))
        table.add_row(name, percent(row["frozen"]), *numbers, str(row["num_parameters"]))
    what = (
        "frozen: share of the layer, in %, that cannot follow a new task any more: precision over precision plus the "
        f"curvature with which a task pulls (that of tasks {', '.join(map(str, body['tasks']))})."
    )
    parts: list[RenderableType] = [Text(what), Text(), table]
    if body["warning"]:
        parts += [Text(), Text(f"warning: {body['warning']}", style="yellow")]
    return Group(*parts)


def _check(body: Body) -> RenderableType:
    """What is wrong, what is doubtful, and what the job would take."""
    lines: list[RenderableType] = []
    for mistake in body["mistakes"]:
        where = f"{mistake['field']}: " if mistake["field"] else ""
        lines.append(Text(f"{where}{mistake['message']} ({mistake['code']})", style="red"))
    lines += [Text(f"warning: {one['message']} ({one['code']})", style="yellow") for one in body["warnings"]]
    lines += [Text()] if lines else []
    num_mistakes = len(body["mistakes"])
    told = "nothing is wrong" if not num_mistakes else "1 mistake" if num_mistakes == 1 else f"{num_mistakes} mistakes"
    estimate = body["estimate"]
    takes = {
        "memory": bytes_in_words(estimate["memory_bytes"]),
        "disk": bytes_in_words(estimate["disk_bytes"]),
        "time": seconds_in_words(estimate["seconds"]),
    }
    parameters = "" if estimate["num_parameters"] is None else f" Its network has {estimate['num_parameters']:,} parameters."
    known = ", ".join(f"{what} {value}" for what, value in takes.items() if value is not None)
    return Group(*lines, Text(f"{told}.{parameters}" + (f" The job would take about: {known}." if known else "")))


def bytes_in_words(num_bytes: int | None) -> str | None:
    """Bytes as people read them, such as "1.5 GiB"."""
    if num_bytes is None:
        return None
    if num_bytes >= 2**30:
        return f"{num_bytes / 2**30:.1f} GiB"
    return f"{num_bytes / 2**20:.0f} MiB" if num_bytes >= 2**20 else f"{num_bytes / 2**10:.0f} KiB"


def seconds_in_words(seconds: float | None) -> str | None:
    """A duration as people read it, such as "2 h 5 min"."""
    if seconds is None:
        return None
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"


_VIEWS: dict[str, Callable[[Body], RenderableType]] = {
    "association": _association,
    "overlap": _overlap,
    "perturbation": _perturbation,
    "capacity": _capacity,
    "check": _check,
}


def _layers_and_whole(body: Body) -> Iterable[tuple[str, Any]]:
    return [*body["layers"].items(), ("whole network", body["overall"])]


def _number(value: float | None, form: str) -> str:
    return _NONE if value is None else format(value, form)


def _count(value: int | None) -> str:
    return _NONE if value is None else str(value)
