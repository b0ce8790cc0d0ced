"""What is drawn: curves in named panels, and the same numbers as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curve:
    """One curve of a panel. `name` is for the table, `label` for the legend; `yerr` is one standard error, or None."""

    panel: str
    name: str
    label: str
    x: Sequence[float]
    y: Sequence[float]
    yerr: Sequence[float] | None = None


@dataclass(frozen=True)
class Plot:
    """All curves of a figure. `marks` are named places on the x axis; `score` is what the y axis of scores says."""

    curves: Sequence[Curve]
    marks: Mapping[str, Sequence[float]] = field(default_factory=dict)
    score: str = ""
    notes: Sequence[str] = ()

    def panel(self, name: str) -> list[Curve]:
        """The curves of one panel."""
        return [curve for curve in self.curves if curve.panel == name]

    @property
    def panels(self) -> list[str]:
        """Names of the panels, in order."""
        return list(dict.fromkeys(curve.panel for curve in self.curves))


def curves_csv(curves: Sequence[Curve]) -> str:
    """One row per point: panel, curve, x, y, yerr. Numbers read back exactly; yerr is empty where there is none.

    An apostrophe stands before a name that a spreadsheet would take for a formula.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("panel", "curve", "x", "y", "yerr"))
    for curve in curves:
        errors = [""] * len(curve.x) if curve.yerr is None else [repr(float(error)) for error in curve.yerr]
        for x, y, error in zip(curve.x, curve.y, errors, strict=True):
            rows.writerow((_no_formula(curve.panel), _no_formula(curve.name), repr(float(x)), repr(float(y)), error))
    return text.getvalue()


def _no_formula(name: str) -> str:
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
