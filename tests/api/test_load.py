"""Fifty clients at once: everybody is answered, and each answer costs the database what it costs alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.conftest import speaking_to
from tests.api.lives import SPEC
from tests.store.statements import statements

NUM_CLIENTS = 50
NUM_TURNS = 6


@pytest.mark.nightly
def test_fifty_clients_at_once_are_all_answered_with_as_many_statements_as_one(server, database, owner):
    served_by = server.config.app.state.services.database
    clients = [speaking_to(server, database, owner) for _ in range(NUM_CLIENTS)]
    job_id = clients[0].post("/v1/jobs", json=SPEC).json()["id"]
    paths = ["", f"/{job_id}", f"/{job_id}/events", f"/{job_id}/tasks", f"/{job_id}/evaluations/matrix"]
    for client in clients:
        assert client.get("/v1/jobs").status_code == 200  # the first use of a key is noted
    for path in paths:
        with statements(served_by) as alone:
            clients[0].get(f"/v1/jobs{path}")
        with statements(served_by) as together, ThreadPoolExecutor(NUM_CLIENTS) as pool:
            answers = list(pool.map(lambda client, path=path: [client.get(f"/v1/jobs{path}") for _ in range(NUM_TURNS)], clients))
        assert {answer.status_code for turns in answers for answer in turns} == {200}
        assert len(together) == NUM_CLIENTS * NUM_TURNS * len(alone)
    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        made = list(pool.map(lambda client: client.post("/v1/jobs", json=SPEC), clients))
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["id"] for answer in made}) == NUM_CLIENTS
    for client in clients:
        client.close()
