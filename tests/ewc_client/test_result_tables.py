"""Results on paper."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from ewc_client.findings import Result
from ewc_client.result_tables import result_view
from tests.ewc_client.results import ASSOCIATION, CAPACITY, CHECK, OVERLAP, PERTURBATION, PERTURBED_AGENT


def printed(kind: str, body: dict[str, Any], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(result_view(Result("job_1", kind, body, "2026-01-01T00:00:00Z", {})))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def cells(text: str, first: str) -> list[str]:
    """The cells of the row that begins with `first`."""
    [line] = [line for line in text.splitlines() if line.startswith(first)]
    return line.removeprefix(first).split()


def test_an_association_has_a_row_of_landmarks_per_rule() -> None:
    text = printed("association", ASSOCIATION)
    assert "200 synapses, 600 patterns, 50 repeats" in text
    assert cells(text, "gd") == ["113", "·", "75.0", "-0.52", "271", "2.4"]
    assert cells(text, "ewc") == ["161", "380", "100", "-0.50", "·", "·"]


def test_an_association_without_ewc_compares_no_rule_with_it() -> None:
    body = {**ASSOCIATION, "rules": {"gd": ASSOCIATION["rules"]["gd"]}, "ewc_falls_below_at": {}}
    assert cells(printed("association", body), "gd") == ["113", "·", "75.0", "-0.52", "2.4"]


def test_an_overlap_stands_between_chance_and_ceiling_layer_by_layer() -> None:
    text = printed("overlap", OVERLAP)
    assert "task 0 (1437 examples) and task 3 (500 examples)" in text
    assert cells(text, "body.0") == ["0.333", "0.412", "0.990", "0.980"]
    assert cells(text, "heads") == ["·", "·", "1.000", "·"]
    assert cells(text, "whole network") == ["0.521", "0.412", "0.991", "0.987"]


def test_a_perturbation_stands_beside_what_the_fisher_predicts() -> None:
    text = printed("perturbation", PERTURBATION)
    assert "loss 0.0812, score 97.5 %" in " ".join(text.split())
    assert cells(text, "uniform") == ["0.1", "0.25", "0.01", "0.2", "90.0"]
    assert cells(text, "null") == ["10", "·", "·", "0", "10.0", "3"]


def test_a_perturbed_agent_has_its_return_beside_the_change_of_its_q_values() -> None:
    text = printed("perturbation", PERTURBED_AGENT)
    words = " ".join(text.split())
    assert "return without noise: 0.96" in words
    assert "the 50.0 % of the weights whose Fisher is at most 0.00012" in words
    assert cells(text, "inverse") == ["0.01", "0.001", "0.0125", "0.0005", "0.875", "0.12"]
    assert cells(text, "null") == ["0.1", "·", "·", "0.0001", "0.25", "0.12", "2"]


def test_stored_constraints_of_games_stand_beside_the_overlap_at_the_present_weights() -> None:
    rows = {name: {"overlap": 0.25} for name in OVERLAP["layers"]}
    text = printed("overlap", {**OVERLAP, "stored": {"overall": {"overlap": 0.5}, "layers": rows}})
    assert cells(text, "body.0") == ["0.333", "0.412", "0.990", "0.980", "0.250"]
    assert cells(text, "whole network")[-1] == "0.500"
    assert "stored" not in printed("overlap", {**OVERLAP, "stored": None})


def test_capacity_shows_what_is_frozen_and_warns() -> None:
    text = printed("capacity", CAPACITY)
    assert cells(text, "body.0") == ["93.0", "0.27", "0.02", "6500"]
    assert cells(text, "whole network") == ["61.0", "·", "·", "16510"]
    assert "warning: these layers are frozen" in text
    assert "warning" not in printed("capacity", {**CAPACITY, "warning": None})


def test_findings_of_a_later_version_are_shown_as_they_are() -> None:
    assert '"mood": "good"' in printed("mood", {"mood": "good"})


@pytest.mark.parametrize(
    ("kind", "body"),
    [("overlap", OVERLAP), ("perturbation", PERTURBATION), ("perturbation", PERTURBED_AGENT), ("capacity", CAPACITY)],
)
def test_tables_of_analyses_fit_into_80_columns(kind: str, body: dict[str, Any]) -> None:
    text = printed(kind, body, width=80)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("association", ASSOCIATION),
        ("overlap", OVERLAP),
        ("capacity", CAPACITY),
        ("perturbation", PERTURBATION),
        ("perturbation", PERTURBED_AGENT),
    ],
)
def test_every_number_is_there_whole_at_any_width(kind: str, body: dict[str, Any], width: int) -> None:
    wide, narrow = printed(kind, body, 300), printed(kind, body, width)
    assert max(map(len, narrow.splitlines())) <= width
    assert "…" not in narrow
    numbers = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?![\w.])")
    assert sorted(numbers.findall(wide)) == sorted(numbers.findall(narrow))


def test_a_check_says_each_mistake_where_it_is_and_what_the_job_would_take() -> None:
    lines = [line.strip() for line in printed("check", CHECK, width=200).splitlines()]
    assert lines == [
        r"tasks.0.dataset.path: no file a\x1b[31m.npz (dataset_unavailable)",
        "it raised (plugin_failed)",
        "warning: column 'x' has values up to 1e4 (inputs_far_from_1)",
        "",
        "2 mistakes. Its network has 1,234,567 parameters. The job would take about: "
        "memory 1.5 GiB, disk 64 MiB, time 2 h 5 min.",
    ]


def test_a_check_that_found_nothing_says_so_and_leaves_out_what_it_does_not_know() -> None:
    nothing = {"num_parameters": None, "memory_bytes": None, "disk_bytes": None}
    body = {"is_runnable": True, "mistakes": [], "warnings": [], "estimate": {**nothing, "seconds": 3.4}}
    assert printed("check", body).strip() == "nothing is wrong. The job would take about: time 3 s."
    assert printed("check", {**body, "estimate": {**nothing, "seconds": None}}).strip() == "nothing is wrong."


@pytest.mark.parametrize(
    ("num_bytes", "seconds", "said"),
    [
        (300 * 2**10, 89, "disk 300 KiB, time 89 s"),
        (2**20, 90, "disk 1 MiB, time 2 min"),
        (2**30, 119 * 60, "disk 1.0 GiB, time 119 min"),
        (2**30, 47 * 3600, "disk 1.0 GiB, time 47 h 0 min"),
        (2**30, 1026 * 3600, "disk 1.0 GiB, time 42 days 18 h"),
    ],
)
def test_sizes_and_durations_have_units_that_people_read(num_bytes: int, seconds: float, said: str) -> None:
    estimate = {"num_parameters": None, "memory_bytes": None, "disk_bytes": num_bytes, "seconds": seconds}
    body = {"is_runnable": True, "mistakes": [], "warnings": [], "estimate": estimate}
    assert printed("check", body).strip() == f"nothing is wrong. The job would take about: {said}."
