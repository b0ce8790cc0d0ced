"""Jobs whose rows are damaged: their owner is told so, and sees all the others."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.api.lives import SPEC

ON_BOTH_ENGINES = ["error = '12'"]
ON_SQLITE = [
    "name = CAST(x'ff' AS TEXT)",
    "error = '{\"code\": '",
    "finished_at = 'zzz'",
    "status = 'runninh'",
    "desired_state = x'00'",
]


@pytest.fixture
def damaged(database, submit):
    """Ids of three whole jobs and of those that are damaged, which lie between the second and the third; newest first."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    changes = ON_BOTH_ENGINES + (ON_SQLITE if is_sqlite else [])
    third = submit()
    broken = [submit() for _ in changes]
    second, first = submit(), submit()
    with database.write() as work:
        if is_sqlite:
            work.connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        for job_id, change in zip(broken, changes, strict=True):
            work.connection.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), {"id": job_id})
        if is_sqlite:
            work.connection.exec_driver_sql("PRAGMA ignore_check_constraints=OFF")
    return [first, second, third], broken


def ids(client, **parameters):
    page = client.get("/v1/jobs", params=parameters).json()
    return [job["id"] for job in page["data"]], page["has_more"]


def test_lists_leave_out_what_is_damaged_and_lead_past_it_in_both_directions(client, damaged):
    (first, second, third), broken = damaged
    assert ids(client) == ([first, second, third], False)
    assert ids(client, limit=2) == ([first, second], True)
    assert ids(client, limit=1, after=second) == ([third], False)
    assert ids(client, limit=1, before=third) == ([second], True)
    for job_id in broken:
        problem = client.get(f"/v1/jobs/{job_id}")
        assert (problem.status_code, problem.json()["code"]) == (500, "row_damaged")


def test_lists_of_sweeps_leave_out_what_is_damaged(client, database):
    spec = {
        "job": {**SPEC, "training": {"num_validation_examples": 100}},
        "search": {"method.ewc_lambda": {"low": 1, "high": 9}},
        "num_trials": 2,
    }
    third, second, first = (client.post("/v1/sweeps", json=spec).json()["id"] for _ in range(3))
    with database.write() as work:
        work.connection.execute(text("UPDATE sweeps SET error = '12' WHERE id = :id"), {"id": second})
    assert [sweep["id"] for sweep in client.get("/v1/sweeps").json()["data"]] == [first, third]
    assert [sweep["id"] for sweep in client.get("/v1/sweeps", params={"before": third}).json()["data"]] == [first]


def test_a_spec_that_is_no_json_hides_no_analyses_of_other_jobs(client, database, submit):
    if database.engine.dialect.name == "sqlite":
        analysed, broken = submit(), submit()
        with database.write() as work:
            work.connection.execute(text("UPDATE jobs SET spec = '{' WHERE id = :id"), {"id": broken})
        assert client.get(f"/v1/jobs/{analysed}/analyses").json()["data"] == []
