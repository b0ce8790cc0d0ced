"""The score matrix and the training curves."""

from __future__ import annotations

import csv
import io

import pytest

from ewc_core.specs import ReinforcementSpec, SupervisedSpec
from store.job_states import JobStatus
from store.records import MetricPoint
from tests.api.lives import ASSOCIATION, bring_to, finish_visit


@pytest.fixture
def job_id(submit, database):
    """Two tasks, the first revisited: three visits, two methods. EWC forgets little, naive training much."""
    job_id = submit(
        stream="open", tasks=[{"dataset": "digits", "name": "plain"}, {"dataset": "digits", "permutation": 1, "name": "shuffled"}]
    )
    rows = {
        "ewc": {-1: {0: 0.1, 1: 0.12}, 0: {0: 0.9, 1: 0.2}, 1: {0: 0.81, 1: 0.88}},
        "naive": {-1: {0: 0.1, 1: 0.12}, 0: {0: 0.9, 1: 0.2}, 1: {0: 0.45, 1: 0.92}},
    }
    bring_to(database, job_id, JobStatus.WAITING)
    with database.write() as work:
        for method, of_visit in rows.items():
            for after_visit, scores in of_visit.items():
                work.evaluations.put_row(
                    job_id, method=method, after_visit=after_visit, scores=scores, num_examples=dict.fromkeys(scores, 360)
                )
        work.switches.append(job_id, action="revisit", task_index=0, origin="test")
    return job_id


def test_the_matrix_shows_the_method_beside_its_control(client, job_id):
    matrix = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()
    assert (matrix["object"], matrix["job_id"], matrix["metric"]) == ("matrix", job_id, "accuracy")
    assert matrix["tasks"] == [
        {"index": index, "name": name, "metric": "accuracy", "has_ratios": True}
        for index, name in enumerate(["plain", "shuffled"])
    ]
    assert matrix["visits"] == [{"index": 0, "task_index": 0}, {"index": 1, "task_index": 1}], "the revisit is not finished"
    assert list(matrix["methods"]) == ["ewc", "naive"]
    assert [method["role"] for method in matrix["methods"].values()] == ["method", "control"]
    assert [(row["after_visit"], row["scores"]) for row in matrix["methods"]["ewc"]["rows"]] == [
        (-1, [0.1, 0.12]),
        (0, [0.9, 0.2]),
        (1, [0.81, 0.88]),
    ]


def test_every_cell_has_its_number_of_examples_its_interval_and_its_chance_level(client, job_id, database):
    """Rows that say nothing of an interval are those of before it was kept."""
    with database.write() as work:
        work.evaluations.put_row(
            job_id,
            method="ewc",
            after_visit=1,
            scores={0: 0.81},
            num_examples={0: 360},
            intervals={0: (0.77, 0.85)},
            chances={0: 0.1},
        )
    *_, old, row = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()["methods"]["ewc"]["rows"]
    assert (row["num_examples"], row["intervals"], row["chances"]) == ([360, 360], [[0.77, 0.85], None], [0.1, None])
    assert (old["num_examples"], old["intervals"], old["chances"]) == ([360, 360], [None, None], [None, None])


def test_the_summary_says_what_was_forgotten_and_retained(client, job_id):
    methods = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()["methods"]
    ewc, naive = methods["ewc"]["summary"], methods["naive"]["summary"]
    assert ewc["average"] == pytest.approx((0.81 + 0.88) / 2)
    assert ewc["forgetting"] == [pytest.approx(0.09), None]
    assert ewc["average_forgetting"] == pytest.approx(0.09)
    assert ewc["retention"] == [pytest.approx(0.9), pytest.approx(1.0)]
    assert ewc["backward_transfer"] == pytest.approx(-0.09)
    assert ewc["forward_transfer"] == pytest.approx(0.08)
    assert naive["retention"][0] == pytest.approx(0.5)


def test_the_matrix_as_csv_has_a_line_per_method_and_row(client, job_id):
    response = client.get(f"/v1/jobs/{job_id}/evaluations/matrix", params={"format": "csv"})
    assert response.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO(response.text)))
    assert lines[0] == ["method", "role", "after_visit", "visited_task", "task_0", "task_1"]
    assert lines[1:4] == [
        ["ewc", "method", "-1", "", "0.1", "0.12"],
        ["ewc", "method", "0", "0", "0.9", "0.2"],
        ["ewc", "method", "1", "1", "0.81", "0.88"],
    ]
    assert len(lines) == 7


def test_a_job_that_has_not_begun_has_an_empty_matrix(client, submit):
    matrix = client.get(f"/v1/jobs/{submit()}/evaluations/matrix").json()
    assert matrix["visits"] == []
    assert matrix["methods"]["ewc"]["rows"] == []
    assert matrix["methods"]["ewc"]["summary"] == {
        "average": None, "forgetting": [None, None], "average_forgetting": None, "retention": [None, None],
        "average_retention": None, "backward_transfer": None, "forward_transfer": None,
    }  # fmt: skip


def test_a_job_without_tasks_has_no_matrix_but_a_result(client):
    job_id = client.post("/v1/jobs", json=ASSOCIATION).json()["id"]
    response = client.get(f"/v1/jobs/{job_id}/evaluations/matrix")
    assert (response.status_code, response.json()["code"], response.json()["kind"]) == (409, "wrong_job_kind", "association")


def test_scores_on_real_valued_targets_are_r2(client, submit, database):
    job_id = submit()
    finish_visit(database, job_id, 0, likelihood="gaussian")
    assert client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()["metric"] == "r2"


def test_scores_say_themselves_what_they_are(client, submit, database):
    """Without a constraint nothing else knows what the data of a plug-in are."""
    job_id = submit(method={"kind": "naive"}, controls=[])
    bring_to(database, job_id, JobStatus.WAITING)
    with database.write() as work:
        for visit, score in enumerate((0.5, 0.25)):
            work.evaluations.put_row(
                job_id, method="naive", after_visit=visit, scores={0: score}, num_examples={0: 9}, metrics={0: "r2"}
            )
    matrix = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()
    assert matrix["metric"] == "r2"
    summary = matrix["methods"]["naive"]["summary"]
    assert (summary["retention"][0], summary["average_retention"], summary["forgetting"][0]) == (None, None, 0.25)


CARTPOLE = {"kind": "gymnasium", "id": "CartPole-v1", "max_episode_steps": 50}
ODD_CARTPOLE = {**CARTPOLE, "options": {"sutton_barto_reward": True}}
MINATAR = {"kind": "gymnasium", "id": "MinAtar/Breakout-v1"}
REFERENCE = {"random": 0.0, "human": 1.0}


def _games(*tasks):
    return ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [8]},
            "agent": {"preset": "small"},
            "method": {"kind": "naive"},
            "tasks": list(tasks),
            "schedule": {"kind": "explicit", "num_steps": 100, "visits": [{"task": index} for index in range(len(tasks))]},
        }
    )


@pytest.mark.parametrize(
    ("task", "metric", "then", "now", "retention"),
    [
        ({"kind": "gymnasium", "id": "MountainCar-v0"}, "return", -110.0, -200.0, None),
        ({"kind": "gymnasium", "id": "MountainCar-v0"}, "return", 10.0, 5.0, None),
        ({"kind": "gymnasium", "id": "ewc/Catch-v0"}, "normalised", 1.0, 0.5, None),
        ({"kind": "gymnasium", "id": "ewc/Catch-v0", "max_episode_steps": 9}, "return", 1.0, 0.5, None),
        (CARTPOLE, "return", 50.0, 40.0, 0.8),
        (CARTPOLE, "return", 0.0, 40.0, None),
        (CARTPOLE, "return", -50.0, -40.0, None),
        (CARTPOLE, "return", 50.0, -40.0, None),
        (ODD_CARTPOLE, "return", 50.0, 40.0, None),
        ({**CARTPOLE, "reference": REFERENCE}, "normalised", 50.0, 40.0, None),
        (MINATAR, "return", 4.0, 1.0, 0.25),
        ({"kind": "atari", "game": "pong"}, "normalised", 1.0, 0.5, None),
        ({"kind": "atari", "game": "pacman"}, "return", 1.0, 0.5, None),
    ],
)
def test_a_return_has_a_retention_only_where_it_cannot_be_negative(client, owner, database, task, metric, then, now, retention):
    with database.write() as work:
        job_id = work.jobs.create(_games(task, {**task, "name": "other"}), owner=owner).id
        for visit, score in enumerate((then, now)):
            work.switches.start_visit(job_id, visit)
            work.switches.finish_visit(job_id, visit, num_steps=100)
            work.evaluations.put_row(
                job_id, method="naive", after_visit=visit, scores={0: score, 1: score}, num_examples={0: 4, 1: 4}
            )
    matrix = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()
    assert (matrix["metric"], matrix["tasks"][0]["metric"]) == (metric, metric)
    summary = matrix["methods"]["naive"]["summary"]
    assert summary["retention"][0] == summary["average_retention"] == (None if retention is None else pytest.approx(retention))
    assert (summary["forgetting"][0], summary["backward_transfer"]) == (pytest.approx(then - now), pytest.approx(now - then))


def test_each_game_has_the_unit_of_its_own_scores(client, owner, database):
    """A return on the scale of a reference has no natural zero, also beside games without one."""
    with database.write() as work:
        job_id = work.jobs.create(_games({"kind": "gymnasium", "id": "CartPole-v1"}, CARTPOLE), owner=owner).id
    matrix = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()
    assert [(task["metric"], task["has_ratios"]) for task in matrix["tasks"]] == [("normalised", False), ("return", True)]
    assert matrix["metric"] is None


def test_there_is_no_average_over_unlike_scores(client, owner, database):
    tasks = {"kind": "gymnasium", "id": "CartPole-v1"}, CARTPOLE
    with database.write() as work:
        job_id = work.jobs.create(_games(*tasks), owner=owner).id
        for visit in (0, 1):
            work.switches.start_visit(job_id, visit)
            work.switches.finish_visit(job_id, visit, num_steps=100)
            scores = {0: 0.5 - visit / 4, 1: 20.0}
            work.evaluations.put_row(job_id, method="naive", after_visit=visit, scores=scores, num_examples={0: 4, 1: 4})
    method = client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()["methods"]["naive"]
    summary = method["summary"]
    assert (summary["forgetting"][0], method["clipped_total"]) == (0.25, None)
    for name in ("average", "average_forgetting", "backward_transfer", "forward_transfer"):
        assert summary[name] is None


def test_lines_of_csv_end_as_programs_expect_that_read_line_by_line(client, submit, database):
    job_id = submit()
    text = client.get(f"/v1/jobs/{job_id}/evaluations/matrix?format=csv").text
    assert text.endswith("\n")
    assert "\r" not in text


def test_own_arrays_say_themselves_that_their_targets_are_real_numbers(client, owner, database):
    task = {"kind": "plain", "dataset": {"kind": "arrays", "path": "mine.npz", "likelihood": "gaussian"}}
    with database.write() as work:
        spec = SupervisedSpec.model_validate({"method": {"kind": "naive"}, "tasks": [task]})
        job_id = work.jobs.create(spec, owner=owner).id
    assert client.get(f"/v1/jobs/{job_id}/evaluations/matrix").json()["metric"] == "r2"


def test_curves_come_by_method_and_name_and_can_be_narrowed(client, submit, database):
    job_id = submit()
    points = [
        MetricPoint(method=method, name=name, visit_index=0, step=step, value=float(step))
        for method in ("ewc", "naive")
        for name in ("loss", "penalty")
        for step in range(3)
    ]
    with database.write() as work:
        work.metrics.put(job_id, points)
    body = client.get(f"/v1/jobs/{job_id}/metrics").json()
    assert (body["object"], body["job_id"]) == ("metrics", job_id)
    curves = [(series["method"], series["name"]) for series in body["series"]]
    assert curves == [("ewc", "loss"), ("ewc", "penalty"), ("naive", "loss"), ("naive", "penalty")]
    assert body["series"][0]["points"] == [{"visit_index": 0, "step": step, "value": float(step)} for step in range(3)]
    narrow = client.get(f"/v1/jobs/{job_id}/metrics", params={"name": "loss", "method": "naive"}).json()["series"]
    assert [(series["method"], series["name"]) for series in narrow] == [("naive", "loss")]


def test_a_long_curve_is_thinned(client, submit, database):
    job_id = submit()
    with database.write() as work:
        work.metrics.put(job_id, [MetricPoint("ewc", "loss", 0, step, 1.0 / (step + 1)) for step in range(500)])
    points = client.get(f"/v1/jobs/{job_id}/metrics", params={"max_points": 20}).json()["series"][0]["points"]
    assert 10 <= len(points) <= 20
    assert (points[0]["step"], points[-1]["step"]) == (0, 499)
