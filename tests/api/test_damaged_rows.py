"""Jobs whose rows are damaged: their owner is told so, and sees all the others."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.api.lives import SPEC

pytestmark = pytest.mark.both_engines

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


DAMAGED_EVENTS = ["data = '12'"]
DAMAGED_EVENTS_OF_SQLITE = ["data = '{\"code\": '", "message = CAST(x'ff' AS TEXT)", "at = 'zzz'", "level = 'loud'"]


def damage(database, *changes):
    """Change rows as no repository would."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    with database.write() as work:
        if is_sqlite:
            work.connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        for table, change, where in changes:
            work.connection.execute(text(f"UPDATE {table} SET {change} WHERE {where}"))
        if is_sqlite:
            work.connection.exec_driver_sql("PRAGMA ignore_check_constraints=OFF")


def test_a_damaged_event_is_shown_as_such_and_hides_no_other(client, database, submit):
    job_id = submit()
    is_sqlite = database.engine.dialect.name == "sqlite"
    changes = DAMAGED_EVENTS + (DAMAGED_EVENTS_OF_SQLITE if is_sqlite else [])
    with database.write() as work:
        for number in range(len(changes)):
            warning = {"type": "job.warning", "level": "warn", "message": f"the {number}th", "data": {"code": f"code_{number}"}}
            work.events.append_all(job_id, [warning, {"type": "test", "level": "info", "message": "whole", "data": {}}])
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    damage(
        database,
        *(("job_events", change, f"job_id = '{job_id}' AND seq = {2 + 2 * number}") for number, change in enumerate(changes)),
    )
    events = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    assert [event["seq"] for event in events] == list(range(1, 3 + 2 * len(changes)))
    broken = [event for event in events if event["type"] == "event.damaged"]
    assert [event["seq"] for event in broken] == [2 + 2 * number for number in range(len(changes))]
    assert {event["data"]["code"] for event in broken} == {"row_damaged"}
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        followed = stream.read().decode()
    assert followed.count("\nid: ") == len(events)
    assert "event: done" in followed
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert [warning["code"] for warning in job["warnings"]] == ["row_damaged"]


def test_a_damaged_move_is_left_out_of_a_job_with_a_warning(client, database, submit):
    job_id = submit()
    client.post(f"/v1/jobs/{job_id}/pause")
    client.post(f"/v1/jobs/{job_id}/resume")
    on_sqlite = ["at = 'zzz'", "reason = CAST(x'ff' AS TEXT)"] if database.engine.dialect.name == "sqlite" else []
    for change in ["to_status = 'runninh'", *on_sqlite]:
        damage(database, ("job_transitions", change, f"job_id = '{job_id}' AND from_status = 'queued'"))
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert [move["to_status"] for move in job["transitions"]] == ["queued", "queued"]
        (warning,) = job["warnings"]
        assert (warning["code"], warning["message"][:22]) == ("row_damaged", "1 of the job's moves c")
