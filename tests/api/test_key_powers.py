"""No key gives what it lacks: scopes, or the keys of another owner."""

from __future__ import annotations

import itertools

import pytest

from api.bootstrap import OWNER, make_bootstrap_key
from api.caller import Scope
from store.unit_of_work import Database
from tests.api.conftest import make_key

SCOPES = [scope.value for scope in Scope]
POWERS = [list(some) for size in range(len(SCOPES) + 1) for some in itertools.combinations(SCOPES, size)]
DEFAULT = ["jobs:read", "jobs:write"]
WANTED = [None, SCOPES, *([scope] for scope in SCOPES)]


@pytest.mark.parametrize("powers", POWERS, ids=",".join)
def test_a_key_makes_only_keys_that_can_do_no_more_than_itself(caller, database, owner, powers):
    maker = caller(owner, powers)
    for wanted, of in itertools.product(WANTED, [None, owner, "somebody-else"]):
        body = {"name": "made", **({} if wanted is None else {"scopes": wanted}), **({} if of is None else {"owner": of})}
        needed = {"keys:admin", *(wanted or DEFAULT), *(["operator"] if of == "somebody-else" else [])}
        response = maker.post("/v1/api-keys", json=body)
        if needed <= set(powers):
            assert (response.status_code, response.json()["owner"]) == (201, of or owner)
            assert response.json()["scopes"] == (wanted or DEFAULT)
        else:
            assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
            assert response.json()["missing_scope"] in needed - set(powers)
    with database.read() as work:
        for made in work.api_keys.of_owner(owner):
            assert made.name == "test" or set(made.scopes) <= set(powers)


@pytest.mark.parametrize("powers", POWERS, ids=",".join)
def test_a_key_sees_and_revokes_only_what_it_administers(caller, database, owner, powers):
    prefix = make_key(database, owner="a-third", scopes=DEFAULT).split("_")[2]
    with database.read() as work:
        foreign = work.api_keys.find(prefix)
    actor = caller(owner, powers)
    administers, operates = "keys:admin" in powers, {"keys:admin", "operator"} <= set(powers)
    listed = actor.get("/v1/api-keys")
    assert listed.status_code == (200 if administers else 403)
    if administers:
        assert (foreign.id in {key["id"] for key in listed.json()["data"]}) == operates
        assert {key["owner"] for key in actor.get("/v1/api-keys", params={"owner": owner}).json()["data"]} == {owner}
    filtered = actor.get("/v1/api-keys", params={"owner": "a-third"})
    assert filtered.status_code == (200 if operates else 403)
    if operates:
        assert {key["owner"] for key in filtered.json()["data"]} == {"a-third"}
    revoked = actor.delete(f"/v1/api-keys/{foreign.id}")
    assert revoked.status_code == (204 if operates else 404 if administers else 403)
    with database.read() as work:
        assert (work.api_keys.find(foreign.prefix).revoked_at is not None) == operates


def test_who_makes_a_key_of_another_owner_can_list_and_revoke_it(caller, anonymous):
    operator = caller(scopes=SCOPES)
    made = operator.post("/v1/api-keys", json={"name": "team c", "owner": "team-c"}).json()
    opens = {"Authorization": f"Bearer {made['key']}"}
    assert anonymous.get("/v1/jobs", headers=opens).json()["data"] == []
    assert [key["id"] for key in operator.get("/v1/api-keys", params={"owner": "team-c"}).json()["data"]] == [made["id"]]
    assert operator.delete(f"/v1/api-keys/{made['id']}").status_code == 204
    assert anonymous.get("/v1/jobs", headers=opens).status_code == 401


def test_an_operator_sees_nobody_elses_jobs(caller, submit):
    job_id = submit()
    operator = caller(scopes=SCOPES)
    assert operator.get("/v1/jobs").json()["data"] == []
    assert operator.get(f"/v1/jobs/{job_id}").status_code == 404
    assert operator.post(f"/v1/jobs/{job_id}/cancel").status_code == 404


def test_the_replay_of_an_answer_asks_for_the_same_scopes(caller, owner):
    body, headers = {"name": "once", "owner": "team-d"}, {"Idempotency-Key": "once"}
    assert caller(owner, SCOPES).post("/v1/api-keys", json=body, headers=headers).status_code == 201
    weaker = caller(owner, [*DEFAULT, "keys:admin"]).post("/v1/api-keys", json=body, headers=headers)
    assert (weaker.status_code, weaker.json()["missing_scope"]) == (403, "operator")


def test_an_operator_key_is_rotated_by_the_key_itself(caller, anonymous, owner):
    old = caller(owner, SCOPES)
    new = old.post("/v1/api-keys", json={"name": "new", "scopes": SCOPES}).json()
    own = next(key["id"] for key in old.get("/v1/api-keys", params={"owner": owner}).json()["data"] if key["name"] == "test")
    assert old.delete(f"/v1/api-keys/{own}").status_code == 204
    assert old.get("/v1/jobs").status_code == 401
    assert anonymous.get("/v1/api-keys", headers={"Authorization": f"Bearer {new['key']}"}).status_code == 200


@pytest.fixture
def installation(database_url, tmp_path):
    """A database whose first key was made before there were operators; and the file of that key."""
    database, file = Database(database_url), tmp_path / "api_key"
    make_bootstrap_key(database, file)
    prefix = file.read_text().split("_")[2]
    with database.write() as work:
        record = work.api_keys.find(prefix)
        work.api_keys.set_scopes(record.id, ["jobs:read", "jobs:write", "keys:admin"])
    yield database, file, record
    database.close()


def test_the_first_key_of_an_older_installation_becomes_an_operator(installation):
    database, file, record = installation
    assert make_bootstrap_key(database, file) is False
    with database.read() as work:
        assert (record.owner, list(work.api_keys.find(record.prefix).scopes)) == (OWNER, SCOPES)


def test_a_first_key_that_was_revoked_or_is_another_gets_nothing(installation):
    database, file, record = installation
    with database.write() as work:
        work.api_keys.revoke(record.id, owner=None)
    other = make_key(database, owner=OWNER, scopes=DEFAULT)
    for text in (file.read_text(), other, "é", "somebody's notes"):
        file.write_text(text)
        assert make_bootstrap_key(database, file) is False
        assert file.read_text() == text
    with database.read() as work:
        assert "operator" not in work.api_keys.find(record.prefix).scopes
        assert list(work.api_keys.find(other.split("_")[2]).scopes) == DEFAULT
