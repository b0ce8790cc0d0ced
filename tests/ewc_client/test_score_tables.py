"""The score matrix on paper."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from ewc_client.matrix import Matrix
from ewc_client.score_tables import percent, score_view, shorten
from tests.ewc_client.bodies import matrix, matrix_body

CELL = re.compile(r"98\.0 ±0\.6")
LOST = {"naive": 0.2, "ewc": 0.01, "joint": 0.0}


def printed(scores: Matrix, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(score_view(scores, console))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "·"), (0.9724, "97.2"), (1.0, "100"), (0.9999, "100"), (0.0, "0.0"), (-0.00001, "0.0"), (-0.031, "-3.1")],
)
def test_fractions_become_short_percentages(value: float | None, expected: str) -> None:
    assert percent(value) == expected


def test_the_method_stands_first_and_beside_its_controls() -> None:
    titles = next(line for line in printed(matrix(3, LOST)).splitlines() if "control" in line)
    assert titles.split() == ["ewc", "naive", "(control)", "joint", "(control)"]


def test_a_row_holds_the_scores_of_every_method_after_that_visit() -> None:
    row = next(line for line in printed(matrix(3, LOST)).splitlines() if line.startswith("2 t2"))
    assert row.split() == ["2", "t2", "digits-permutation-2", "98.0", "99.0", "100", "60.0", "80.0", "100", "100", "100", "100"]


def test_a_task_that_was_not_learned_yet_has_no_score_even_where_one_was_measured() -> None:
    text = printed(matrix(3, LOST))
    assert "12.3" not in text
    row = next(line for line in text.splitlines() if line.startswith("0 t0"))
    assert row.split() == ["0", "t0", "digits-permutation-0", *["100", "·", "·"] * 3]


def test_a_revisit_is_a_new_row_of_an_old_task() -> None:
    rows = [line.split()[:2] for line in printed(matrix(2, LOST, visits=[0, 1, 0])).splitlines() if line[:1].isdigit()]
    assert rows == [["0", "t0"], ["1", "t1"], ["2", "t0"]]


def test_forgotten_and_retained_stand_under_their_tasks() -> None:
    lines = printed(matrix(2, LOST)).splitlines()
    assert ["forgotten", "1.0", "·", "20.0", "·", "0.0", "·"] in [line.split() for line in lines]
    assert ["retained", "99.0", "·", "80.0", "·", "100", "·"] in [line.split() for line in lines]


def test_the_last_sentence_compares_what_is_retained() -> None:
    assert printed(matrix(3, LOST)).splitlines()[-1] == (
        "Earlier tasks retained, on average: ewc 99.0 %, naive 80.0 %, joint 100 %."
    )


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("num_tasks", [1, 2, 5, 10, 30])
def test_no_line_is_wider_than_the_console_and_no_number_is_cut(num_tasks: int, width: int) -> None:
    lines = printed(matrix(num_tasks, LOST), width).splitlines()
    assert max(len(line) for line in lines) <= width
    if width >= 100:
        assert not [line for line in lines if re.search(r"\d…", line)]


def test_methods_stand_below_each_other_where_the_width_does_not_suffice() -> None:
    text = printed(matrix(8, LOST))
    assert len([line for line in text.splitlines() if line.startswith("7 t7")]) == 3


def test_very_many_tasks_have_one_row_each() -> None:
    lines = printed(matrix(30, LOST)).splitlines()
    assert ["29", "digits-permutation-29"] in [line.split()[:2] for line in lines]
    assert any(line.startswith("Too many tasks for the whole matrix") for line in lines)


def test_a_long_name_loses_its_middle_and_keeps_its_number() -> None:
    assert shorten("digits-permutation-12", 16) == "digits-per…on-12"
    assert shorten("short", 16) == "short"


def test_nothing_evaluated_is_said() -> None:
    body = matrix_body(2, LOST)
    for scores in body["methods"].values():
        scores["rows"] = scores["rows"][:1]
    assert printed(Matrix.from_body(body)).strip() == "No visit has been evaluated yet."


def test_without_a_terminal_there_are_no_control_characters() -> None:
    assert all(character.isprintable() or character == "\n" for character in printed(matrix(5, LOST)))


def test_the_heading_names_the_metric() -> None:
    body = matrix_body(2, LOST)
    assert printed(Matrix.from_body(body)).startswith("Accuracy in %:")
    assert printed(Matrix.from_body({**body, "metric": "r2"})).startswith("R² in %:")


def _without_ratios(metric: str, num_tasks: int = 3) -> Matrix:
    body = matrix_body(num_tasks, LOST)
    for scores in body["methods"].values():
        scores["summary"] |= {"retention": [None] * num_tasks, "average_retention": None}
    for task in body["tasks"]:
        task |= {"metric": metric, "has_ratios": False}
    return Matrix.from_body({**body, "metric": metric})


@pytest.mark.parametrize(
    ("metric", "lost"), [("r2", "ewc 1.0, naive 20.0, joint 0.0"), ("return", "ewc 0.0, naive 0.2, joint 0.0")]
)
@pytest.mark.parametrize("num_tasks", [3, 40])
def test_scores_without_ratios_are_told_in_points(metric: str, lost: str, num_tasks: int) -> None:
    text = printed(_without_ratios(metric, num_tasks))
    assert "retained" not in text
    assert "kept" not in text
    assert text.splitlines()[-1] == f"Points lost on earlier tasks, on average: {lost}."


def test_a_total_is_told_also_where_nothing_is_a_ratio() -> None:
    body = _without_ratios("normalised").raw
    for scores in body["methods"].values():
        scores["clipped_total"] = 2.5
    last = printed(Matrix.from_body(body)).splitlines()[-1]
    assert last == "Total of 3 tasks, each at most 1: ewc 2.50, naive 2.50, joint 2.50."


def test_a_service_that_does_not_say_which_scores_have_ratios_means_accuracies() -> None:
    body = matrix_body(2, LOST)
    assert Matrix.from_body(body).has_ratios == (True, True)
    assert Matrix.from_body({**body, "metric": "r2"}).has_ratios == (False, False)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("num_tasks", [1, 5, 20])
@pytest.mark.parametrize("controls", [[], ["naive", "joint"], ["naive", "l2", "oracle", "shuffled_fisher", "independent"]])
def test_no_number_is_cut_at_any_width(width: int, num_tasks: int, controls: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(score_view(matrix(num_tasks, dict.fromkeys(["ewc", *controls], 0.015)), console))
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not [word for line in lines for word in line.split() if word.endswith("…")]
    for method in controls:
        assert method in file.getvalue()


def test_unlike_scores_are_printed_each_in_its_own_unit() -> None:
    body = matrix_body(2, {"naive": 0.2})
    body["metric"] = None
    for task, metric in zip(body["tasks"], ("normalised", "return"), strict=True):
        task["metric"] = metric
    body["methods"]["naive"]["summary"] |= dict.fromkeys(("average", "average_forgetting", "backward_transfer"))
    text = printed(Matrix.from_body(body))
    assert text.startswith("Mean return of tasks 1, of the others in % (random play is 0, the reference player 100); there is no")
    row = next(line for line in text.splitlines() if line.startswith("1 t1"))
    assert row.split()[-2:] == ["80.0", "1.0"]


def _with_intervals(num_tasks: int, lost: dict[str, float], chances: list[float] | None = None) -> Matrix:
    body = matrix_body(num_tasks, lost)
    for scores in body["methods"].values():
        for row in scores["rows"]:
            row["intervals"] = [[score - 0.006, score + 0.0065] for score in row["scores"]]
            row["num_examples"] = [360] * num_tasks
            row["chances"] = chances or [0.1] * num_tasks
    return Matrix.from_body(body)


def test_a_cell_shows_how_sure_its_score_is_where_the_width_allows_it() -> None:
    text = printed(_with_intervals(3, LOST), 120)
    row = next(line for line in text.splitlines() if line.startswith("2 t2"))
    assert CELL.search(row)
    assert "± = half of the 95 % interval" in text.replace("\n", " ")


@pytest.mark.parametrize("num_tasks", [1, 3, 5, 9, 12, 30])
@pytest.mark.parametrize("lost", [LOST, {"ewc": 0.01}])
def test_at_sixty_columns_how_sure_the_last_scores_are_is_shown_and_no_number_is_cut(
    num_tasks: int, lost: dict[str, float]
) -> None:
    lines = printed(_with_intervals(num_tasks, lost), 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert not [line for line in lines if re.search(r"\d…|±…", line)]
    below = [line for line in lines if line.startswith("last row ±")]
    assert below or [line for line in lines if re.search(r"\d ±0\.6", line)]
    for line in below:
        assert set(line.split()[3:]) == {"0.6"}


def test_the_heading_says_what_chance_gives() -> None:
    assert "Chance is 10.0." in printed(_with_intervals(2, LOST), 200)
    assert "Chance is 20.0 to 50.0, by task." in printed(_with_intervals(2, LOST, [0.5, 0.2]), 200)
    assert "Chance" not in printed(matrix(2, LOST), 200)


def test_the_interval_of_a_return_is_in_its_own_unit() -> None:
    body = _with_intervals(1, {"ewc": 0.0}).raw
    for task in body["tasks"]:
        task["metric"] = "return"
    body["methods"]["ewc"]["rows"][1] |= {"scores": [250.0], "intervals": [[225.0, 265.0]], "chances": [None]}
    assert "250.0 ±20.0" in printed(Matrix.from_body({**body, "metric": "return"}))
