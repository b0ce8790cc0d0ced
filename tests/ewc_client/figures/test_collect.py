"""From what the service says about jobs to the curves of each figure."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ewc_client import EWCClient
from ewc_client.errors import FigureError
from ewc_client.figures import accuracy_curves, mean_accuracy, overlap_by_depth, random_patterns
from ewc_client.figures.curves import Curve, Plot
from ewc_client.job import Job
from tests.ewc_client.figures.answers import job, matrix, metrics, service_of, supervised, switches

RULES = [{"kind": "gd", "rate": None}, {"kind": "gd", "rate": 0.5}, {"kind": "ewc"}]


def curve(plot: Plot, panel: str, name: str) -> Curve:
    (found,) = [one for one in plot.curves if (one.panel, one.name) == (panel, name)]
    return found


def jobs_of(client: EWCClient, **ids: str) -> dict[str, Job]:
    return {part: client.jobs.get(job_id) for part, job_id in ids.items()}


def association() -> dict[str, Any]:
    spec = {"kind": "association", "seed": 0, "num_synapses": 100, "num_repeats": 50, "rules": RULES}
    landmarks = {"landmarks": {"first_lost_at": 83, "blackout_at": 187}}
    series = {
        ("ewc", "first_pattern_snr"): [(0, 4, 2.0), (0, 25, 0.0)],
        ("ewc", "first_pattern_snr_theory"): [(0, 4, 2.25), (0, 25, 0.5)],
        ("ewc", "fraction_retained"): [(0, 4, 1.0), (0, 25, 0.5)],
        ("ewc", "fraction_retained_theory"): [(0, 4, 1.0), (0, 25, 0.25)],
        ("ewc", "weight_norm"): [(0, 4, 3.0)],
        ("gd_0.5", "fraction_retained"): [(0, 4, 0.75)],
    }
    found = {"job_id": "job_r", "kind": "association", "created_at": "", "body": {"rules": {"ewc": landmarks}}}
    return {"/v1/jobs/job_r": job("job_r", spec), "/v1/jobs/job_r/result": found, "/v1/jobs/job_r/metrics": metrics(series)}


def test_figure_2_has_simulated_values_with_their_error_beside_exact_ones() -> None:
    with service_of(association()) as (client, _):
        plot = random_patterns.collect(jobs_of(client, rules="job_r"), {})
    simulated = curve(plot, "first_pattern_snr", "ewc")
    assert (simulated.x, simulated.y) == ([4, 25], [2.0, 0.0])
    assert simulated.yerr == [math.sqrt(3.0 / 50.0), math.sqrt(1.0 / 50.0)]
    exact = curve(plot, "first_pattern_snr", "ewc_theory")
    assert (exact.y, exact.yerr) == ([2.25, 0.5], None)
    assert curve(plot, "fraction_retained", "ewc_theory").y == [1.0, 0.25]
    assert curve(plot, "fraction_retained", "gd_0.5").label == "gradient descent, rate 0.5"
    assert curve(plot, "first_pattern_snr", "sqrt_n_over_t").y == [5.0, 2.0]
    assert plot.marks == {"capacity": (100.0,), "blackout": (187.0,)}


def trained(job_id: str, method: str, *, num_steps: tuple[int, int] = (4, 6)) -> dict[str, Any]:
    """Two visits, scores logged every second step, the last of a visit in the matrix too."""
    series = {
        (method, "score.task_0"): [(0, 2, 0.5), (0, 4, 0.75), (1, 2, 0.5), (1, 4, 0.25)],
        (method, "score.task_1"): [(1, 2, 0.5), (1, 4, 0.625)],
        (method, "loss"): [(0, 1, 9.0)],
    }
    return {
        f"/v1/jobs/{job_id}": job(job_id, supervised(method, 2)),
        f"/v1/jobs/{job_id}/metrics": metrics(series),
        f"/v1/jobs/{job_id}/task-switches": switches(list(num_steps)),
        f"/v1/jobs/{job_id}/evaluations/matrix": matrix(method, [[0.125, 0.25], [0.75, 0.375], [0.1875, 0.875]]),
    }


def test_figure_3a_counts_steps_over_all_visits_and_takes_their_ends_from_the_matrix() -> None:
    with service_of({**trained("job_e", "ewc"), **trained("job_n", "naive")}) as (client, _):
        plot = accuracy_curves.collect(jobs_of(client, ewc="job_e", sgd="job_n"), {})
    first = curve(plot, "task A", "ewc")
    assert (first.x, first.y) == ([0, 2, 4, 6, 8, 10], [0.125, 0.5, 0.75, 0.5, 0.25, 0.1875])
    second = curve(plot, "task B", "ewc")
    assert (second.x, second.y) == ([4, 6, 8, 10], [0.375, 0.5, 0.625, 0.875])
    assert [one.label for one in plot.panel("task A")] == ["EWC", "SGD"]
    assert (plot.marks["visit_starts"], plot.score) == ([0, 4, 10], "test accuracy")


def test_figure_3a_refuses_jobs_whose_visits_differ() -> None:
    documents = {**trained("job_e", "ewc"), **trained("job_n", "naive", num_steps=(4, 8))}
    with service_of(documents) as (client, _), pytest.raises(FigureError, match=r"\[4, 8\] steps long; those of part 'ewc'"):
        accuracy_curves.collect(jobs_of(client, ewc="job_e", sgd="job_n"), {})


def test_figure_3a_refuses_two_jobs_of_one_method() -> None:
    with (
        service_of({**trained("job_e", "ewc"), **trained("job_n", "ewc")}) as (client, _),
        pytest.raises(FigureError, match=r"train \['ewc', 'ewc'\]"),
    ):
        accuracy_curves.collect(jobs_of(client, ewc="job_e", sgd="job_n"), {})


def test_figure_3a_says_how_a_job_gets_the_curves_it_lacks() -> None:
    documents = {**trained("job_e", "ewc"), "/v1/jobs/job_e/metrics": metrics({})}
    with service_of(documents) as (client, _), pytest.raises(FigureError, match=r"job_e: .*training\.evaluate_every"):
        accuracy_curves.collect(jobs_of(client, ewc="job_e"), {})


def averaged(job_id: str, method: str, rows: list[list[float | None]], **controls: list[list[float | None]]) -> dict[str, Any]:
    return {
        f"/v1/jobs/{job_id}": job(job_id, supervised(method, 2)),
        f"/v1/jobs/{job_id}/evaluations/matrix": matrix(method, rows, controls=controls),
    }


def test_figure_3b_averages_over_the_tasks_seen_and_shows_the_single_task_level() -> None:
    ewc = averaged("job_e", "ewc", [[0.125, 0.1], [0.75, 0.5], [0.5, 1.0]], naive=[[0.125, 0.1], [0.75, 0.5], [0.25, 1.0]])
    dropout = averaged("job_d", "dropout", [[0.125, 0.1], [0.625, None], [0.25, 0.5]])
    with service_of({**ewc, **dropout}) as (client, _):
        plot = mean_accuracy.collect(jobs_of(client, ewc="job_e", dropout="job_d"), {})
    assert [(one.panel, one.name, list(one.x), list(one.y)) for one in plot.curves] == [
        ("method", "ewc", [1, 2], [0.75, 0.75]),
        ("control", "naive", [1, 2], [0.75, 0.625]),
        ("method", "dropout", [1, 2], [0.625, 0.375]),
        ("single_task", "single_task", [1, 2], [0.75, 0.75]),
    ]
    assert plot.curves[2].label == "SGD + dropout"


def test_figure_3b_refuses_a_revisit() -> None:
    documents = averaged("job_e", "ewc", [[0.1, 0.1], [0.75, 0.5], [0.5, 1.0]])
    documents["/v1/jobs/job_e/evaluations/matrix"]["visits"] = [{"index": index, "task_index": 0} for index in range(2)]
    with service_of(documents) as (client, _), pytest.raises(FigureError, match=r"visits are to tasks \[0, 0\]"):
        mean_accuracy.collect(jobs_of(client, ewc="job_e"), {})


def test_figure_3c_counts_layers_from_one_and_names_the_second_task() -> None:
    series = {
        ("overlap", "fisher_overlap"): [(0, 1, 0.75), (0, 0, 0.5)],
        ("shuffled", "fisher_overlap"): [(0, 0, 0.25), (0, 1, 0.375)],
        ("ceiling_first", "fisher_overlap"): [(0, 0, 1.0)],
        ("ceiling_second", "fisher_overlap"): [(0, 1, 0.9375)],
    }
    question = {"kind": "overlap", "first_task": 0, "second_task": 1}
    documents = {
        **averaged("job_e", "ewc", [[0.1, 0.1], [0.75, 0.5], [0.5, 1.0]]),
        "/v1/jobs/job_o": job("job_o", {"kind": "analysis", "job_id": "job_e", "question": question}),
        "/v1/jobs/job_o/metrics": metrics(series),
    }
    with service_of(documents) as (client, _):
        plot = overlap_by_depth.collect(jobs_of(client, square_8="job_e"), jobs_of(client, square_8="job_o"))
    overlap = curve(plot, "square_8", "overlap")
    assert (overlap.label, overlap.x, overlap.y) == ("task B", [1, 2], [0.5, 0.75])
    assert curve(plot, "square_8", "shuffled").y == [0.25, 0.375]
    assert curve(plot, "square_8", "ceiling_second").x == [2]
