"""The files of a figure, from small hand-made curves."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest

from ewc_client.errors import FigureError
from ewc_client.figures import (
    accuracy_curves,
    games_over_time,
    load_recipe,
    mean_accuracy,
    noise_on_weights,
    overlap_by_depth,
    per_game,
    random_patterns,
    total_score,
)
from ewc_client.figures.curves import Curve, Plot, curves_csv
from ewc_client.figures.files import write_figure

NOTES = ("what was trained",)


def line(panel: str, name: str, *, start: float = 1.0) -> Curve:
    return Curve(panel, name, f"curve {name}", [start, 2.0, 3.0], [0.5, 0.25, 0.125])


PLOTS: dict[str, tuple[Any, Plot]] = {
    "2": (
        random_patterns,
        Plot(
            [
                Curve("first_pattern_snr", "ewc", "EWC", [2, 10, 100], [30.0, 9.0, 3.0], [0.5, 0.25, 0.125]),
                line("first_pattern_snr", "ewc_theory"),
                line("first_pattern_snr", "sqrt_n_over_t"),
                line("fraction_retained", "gd_0.5"),
            ],
            {"capacity": (2.0,), "blackout": (2.5,)},
            notes=NOTES,
        ),
    ),
    "3a": (
        accuracy_curves,
        Plot(
            [line("task A", "ewc"), line("task A", "l2"), line("task B", "naive", start=1.5)],
            {"visit_starts": (0.0, 1.5, 3.0)},
            score="test accuracy",
            notes=NOTES,
        ),
    ),
    "3b": (
        mean_accuracy,
        Plot([line("method", "ewc"), line("control", "joint"), line("single_task", "single_task")], score="test accuracy"),
    ),
    "3c": (
        overlap_by_depth,
        Plot([line(part, name) for part in ("square_8", "square_26") for name in ("overlap", "shuffled", "ceiling_first")]),
    ),
    "4a": (
        games_over_time,
        Plot(
            [line(panel, name) for panel in ("catch-1", "catch-2") for name in ("independent", "ewc", "naive")],
            {"catch-1": (0.0, 1.0, 2.0, 3.0), "catch-2": (1.0, 2.0)},
            score="score",
            notes=NOTES,
        ),
    ),
    "4b": (
        total_score,
        Plot([line("total", "ewc"), line("total", "naive")], {"num_tasks": (2.0,), "visit_starts": (0.0, 1.0)}, score="total"),
    ),
    "4c": (
        noise_on_weights,
        Plot(
            [
                Curve("return", "uniform", "uniform", [0.1, 1.0], [1.0, -0.5], [0.1, 0.2]),
                Curve("return", "without_noise", "no noise", [0.1, 1.0], [1.0, 1.0]),
                line("change", "uniform"),
                line("change", "null_predicted"),
            ],
            score="mean return",
            notes=NOTES,
        ),
    ),
    "s3": (
        per_game,
        Plot(
            [line(f"catch-{number}", name) for number in range(5) for name in ("ewc", "naive")],
            {f"catch-{number}": (2.0,) for number in range(5)},
            score="mean return",
        ),
    ),
}


def test_the_table_reads_back_exactly() -> None:
    third = 1.0 / 3.0
    text = curves_csv([Curve("p", "a,b", "", [1, 2], [third, 1e-300], [0.1, 0.2]), Curve("q", "c", "", [5], [-0.0])])
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["panel", "curve", "x", "y", "yerr"]
    assert [(row[0], row[1], float(row[2]), float(row[3])) for row in rows[1:]] == [
        ("p", "a,b", 1.0, third),
        ("p", "a,b", 2.0, 1e-300),
        ("q", "c", 5.0, 0.0),
    ]
    assert [row[4] for row in rows[1:]] == ["0.1", "0.2", ""]


@pytest.mark.parametrize("figure", PLOTS)
def test_a_figure_drawn_twice_is_the_same_bytes(figure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, plot = PLOTS[figure]
    recipe, origin = load_recipe(figure, quick=True), {"jobs": {}}
    first = write_figure(tmp_path / "new" / "folder", recipe, plot, drawing, origin)
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 9.0)  # the settings of whoever draws it
    monkeypatch.setitem(matplotlib.rcParams, "svg.hashsalt", "another")
    second = write_figure(tmp_path, recipe, plot, drawing, origin)
    assert [path.name for path in first] == [f"figure-{figure}-quick.{suffix}" for suffix in ("png", "svg", "csv", "json")]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert matplotlib.rcParams["lines.linewidth"] == 9.0
    png, svg, table, document = (path.read_bytes() for path in first)
    assert png.startswith(b"\x89PNG\r\n")
    for words in recipe.title.splitlines():
        assert b"<!-- " + words.encode() + b" -->" in svg
    assert b"<dc:date>" not in svg
    assert b"mathdefault" not in svg  # the labels of logarithmic axes
    assert b"<!-- 1e" not in svg
    assert table.decode() == curves_csv(plot.curves)
    assert json.loads(document) == origin


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    drawing, plot = PLOTS["3b"]
    with pytest.raises(FigureError, match=r"file/figures: the figure cannot be written there \(Not a directory\)"):
        write_figure(tmp_path / "file" / "figures", load_recipe("3b"), plot, drawing, {})


def test_names_of_tasks_with_escape_codes_or_mathematics_are_drawn_as_they_are_written(tmp_path):
    name = "$5^\x1b[31m\x00\u202e数字"
    plot = Plot([line(name, "ewc"), line("=1+1", "ewc")], {"visit_starts": (0.0, 1.5, 3.0)}, score="score", notes=NOTES)
    paths = write_figure(tmp_path, load_recipe("3a"), plot, accuracy_curves, {})
    svg = next(path for path in paths if path.suffix == ".svg").read_text(encoding="utf-8")
    assert r"$5^\x1b[31m\x00\u202e数字" in svg
    ElementTree.fromstring(svg)  # noqa: S314 our own file
    table = curves_csv(plot.curves).splitlines()
    assert {row.split(",")[0] for row in table[-3:]} == {"'=1+1"}
