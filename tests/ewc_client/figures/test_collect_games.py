"""From what the service says about a job of games to the curves of figures 4 and S3."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from ewc_client.errors import FigureError
from ewc_client.figures import games_over_time, noise_on_weights, per_game, total_score
from ewc_client.figures.curves import Curve, Plot
from tests.ewc_client.figures.answers import job, service_of, supervised
from tests.ewc_client.figures.games import ROWS, perturbed, played


def curve(plot: Plot, panel: str, name: str) -> Curve:
    (found,) = [one for one in plot.curves if (one.panel, one.name) == (panel, name)]
    return found


def collected(drawing: Any, documents: dict[str, Any], *, job_id: str = "job_g") -> Plot:
    with service_of(documents) as (client, _):
        plot: Plot = drawing.collect({"games": client.jobs.get(job_id)}, {})
        return plot


def test_figure_4a_has_a_score_after_every_visit_and_marks_when_each_game_was_played() -> None:
    plot = collected(games_over_time, played())
    assert plot.panels == ["catch-1", "catch-2"]
    assert plot.marks == {"catch-1": [0.0, 30.0, 45.0, 75.0], "catch-2": [30.0, 45.0]}
    assert (curve(plot, "catch-1", "ewc").x, curve(plot, "catch-1", "ewc").y) == ([30, 45, 75], [0.75, 0.75, 1.5])
    assert curve(plot, "catch-2", "naive").y == [0.125, 0.625, -0.25]
    assert [one.label for one in plot.panel("catch-1")] == ["one network per game", "EWC, recognises the game", "no penalty"]
    assert plot.score == "score (0: random play, 1: reference player)"


def test_games_of_one_name_are_told_apart_and_unmeasured_scores_left_out() -> None:
    rows: dict[str, list[list[float | None]]] = {"ewc": [[0.75, None], [0.75, 0.5], [1.5, 0.5]]}
    plot = collected(games_over_time, played(names=("catch", "catch"), rows=rows, metric="return"))
    assert plot.panels == ["0: catch", "1: catch"]
    assert (curve(plot, "1: catch", "ewc").x, plot.score) == ([45, 75], "mean return")


def test_figure_4b_adds_up_scores_cut_at_1_and_takes_those_below_0_as_they_are() -> None:
    plot = collected(total_score, played())
    assert curve(plot, "total", "ewc").y == [0.875, 1.25, 1.5]
    assert curve(plot, "total", "naive").y == [0.875, 0.875, 0.75]
    assert curve(plot, "total", "independent").y == [0.875, 1.875, 2.0]
    assert curve(plot, "total", "ewc").x == [30, 45, 75]
    assert plot.marks == {"num_tasks": [2.0], "visit_starts": [0.0, 30.0, 45.0]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "return"}, "of metric 'return'; a total needs reference scores of every game"),
        ({"rows": {"ewc": [[0.75, None], [0.75, 0.5], [1.5, 0.5]]}}, "a total needs evaluation.tasks 'all'"),
        ({"num_done": 2}, "it has finished 2 of 3 visits"),
    ],
)
def test_figure_4b_refuses_what_has_no_total(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FigureError, match=message):
        collected(total_score, played(**changes))


def test_a_job_that_plays_no_games_is_refused() -> None:
    documents = {"/v1/jobs/job_s": job("job_s", supervised("ewc", 2))}
    for drawing in (games_over_time, total_score, per_game):
        with pytest.raises(FigureError, match="it is of kind 'supervised'; this figure needs a job that plays games"):
            collected(drawing, documents, job_id="job_s")


def test_figure_s3_averages_returns_over_parts_of_visits_and_counts_the_steps_of_one_game() -> None:
    """A visit to game 0 has 15 parts of 2 steps, one to game 1 parts of 1 step."""
    returns = {
        ("ewc", "return"): [(0, 1, 0.0), (0, 2, 1.0), (0, 30, 3.0), (1, 15, 5.0), (2, 3, 7.0)],
        ("naive", "return"): [(1, 1, 2.0)],
        ("l2", "return"): [(0, 1, 9.0)],
    }
    rows = {**ROWS, "l2": ROWS["ewc"]}
    plot = collected(per_game, played(returns=returns, rows=rows))
    first = curve(plot, "catch-1", "ewc")
    assert (first.x, first.y) == ([1.0, 29.0, 33.0], [0.5, 3.0, 7.0])
    assert (curve(plot, "catch-2", "ewc").x, curve(plot, "catch-2", "ewc").y) == ([14.5], [5.0])
    assert curve(plot, "catch-2", "naive").x == [0.5]
    assert {one.name for one in plot.curves} == {"ewc", "naive", "independent"}
    assert plot.marks == {"catch-1": [30.0], "catch-2": []}


def test_figure_s3_refuses_a_job_without_returns() -> None:
    with pytest.raises(FigureError, match="has no returns of training episodes"):
        collected(per_game, played())


def test_figure_4c_has_returns_with_their_error_and_measured_beside_predicted_changes() -> None:
    with service_of({**played(), **perturbed()}) as (client, _):
        plot = noise_on_weights.collect({"agent": client.jobs.get("job_g")}, {"agent": client.jobs.get("job_p")})
    uniform = curve(plot, "return", "uniform")
    assert (uniform.x, uniform.y, uniform.yerr) == ([0.1, 1.0], [0.5, -1.0], [0.125, 0.125])
    assert curve(plot, "return", "without_noise").y == [0.875, 0.875]
    assert curve(plot, "change", "null").y == [0.0625, 2.0]
    predicted = curve(plot, "change", "null_predicted")
    assert (predicted.y, predicted.yerr, predicted.label) == ([0.25, 0.5], None, "null space of the Fisher, predicted")
    assert any("F ≤ 0.002, 50 % of the weights" in note for note in plot.notes)


def test_figure_4c_leaves_out_a_change_that_was_no_number() -> None:
    with service_of({**played(), **perturbed(null_change=None)}) as (client, _):
        plot = noise_on_weights.collect({"agent": client.jobs.get("job_g")}, {"agent": client.jobs.get("job_p")})
    assert curve(plot, "change", "null").x == [0.1]
    assert curve(plot, "change", "null_predicted").x == [0.1, 1.0]


def test_figure_4c_refuses_an_answer_about_no_agent() -> None:
    documents = {**perturbed(), "/v1/jobs/job_s": job("job_s", supervised("ewc", 2))}
    del documents["/v1/jobs/job_p/result"]["body"]["return"]
    with (
        service_of(documents) as (client, _),
        pytest.raises(FigureError, match="'agent', job job_s: it is of kind 'supervised'"),
    ):
        noise_on_weights.collect({"agent": client.jobs.get("job_s")}, {"agent": client.jobs.get("job_p")})


@pytest.mark.parametrize(("metric", "is_shared"), [("normalised", True), ("return", False)])
def test_games_share_an_axis_of_scores_only_when_these_are_normalised(metric: str, is_shared: bool) -> None:
    figure = Figure()
    games_over_time.draw(figure, collected(games_over_time, played(metric=metric)))
    first, second = figure.axes
    first.set_ylim(-7.0, 7.0)
    assert (second.get_ylim() == (-7.0, 7.0)) == is_shared
