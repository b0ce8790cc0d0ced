"""A sweep's trials as a table for a terminal, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ewc_client.fitting_table import FittingTable
from ewc_client.score_tables import percent
from ewc_client.sweeps import Sweep, Trial


def trial_table(
    sweep: Sweep, *, progress: Mapping[int, str] | None = None, max_rows: int | None = None, with_jobs: bool = True
) -> FittingTable:
    """One row per trial: running ones with their `progress` first, then by score, then the failed ones.

    With `max_rows` the rows at the end give way, and the caption says how many there are.
    """
    names = sorted(sweep.spec["search"])
    table = FittingTable(["trial", *names, "score in %", *(["job"] if with_jobs else [])], num_names=0)
    rows = sorted(sweep.trials, key=_rank)
    shown = rows if max_rows is None else rows[:max_rows]
    for trial in shown:
        is_best = sweep.best is not None and trial.number == sweep.best.number
        cells = [str(trial.number), *(setting_text(trial.parameters[name]) for name in names)]
        cells += [_score(trial, progress or {}), *([trial.job_id] if with_jobs else [])]
        table.add_row(*cells, style="bold green" if is_best else "dim" if trial.status == "failed" else "")
    if len(shown) < len(rows):
        table.caption = f"and {len(rows) - len(shown)} more"
    return table


def settings_text(parameters: Mapping[str, Any]) -> str:
    """A setting in one line."""
    return ", ".join(f"{name} {setting_text(parameters[name])}" for name in sorted(parameters))


def setting_text(value: Any) -> str:
    """A value as short as it can be told apart from its neighbours."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def counts_text(sweep: Sweep) -> str:
    """How far the sweep is."""
    counts = sweep.num_trials
    parts: Sequence[str] = [f"{counts['completed']} of {counts['planned']} trials completed"]
    return ", ".join([*parts, *(f"{counts[status]} {status}" for status in ("running", "failed") if counts[status])])


def _rank(trial: Trial) -> tuple[int, float, int]:
    place = {"running": 0, "completed": 1, "failed": 2}[trial.status]
    return place, -(trial.score or 0.0), trial.number


def _score(trial: Trial, progress: Mapping[int, str]) -> str:
    if trial.status == "running":
        return progress.get(trial.number, "running")
    return "failed" if trial.score is None else percent(trial.score)
