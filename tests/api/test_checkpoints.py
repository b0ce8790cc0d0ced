"""Checkpoints: listed, described, and downloaded whole or in part."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from sqlalchemy import text

from ewc_core.specs import SupervisedSpec
from store.blobs import CHUNK_SIZE
from tests.api.lives import SPEC, add_checkpoint

DATA = bytes(range(256)) * (2 * CHUNK_SIZE // 256) + b"the third chunk"


OWNER = "downloads"


@pytest.fixture(scope="module")
def checkpoint(database):
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner=OWNER).id
    return add_checkpoint(database, job_id, DATA)


@pytest.fixture
def client(caller):
    return caller(OWNER)


@pytest.fixture
def path(checkpoint):
    return f"/v1/checkpoints/{checkpoint.id}/content"


def test_checkpoints_are_listed_in_the_order_of_visits(client, submit, database):
    job_id = submit()
    made = [add_checkpoint(database, job_id, b"data", visit_index=index).id for index in range(3)]
    first = client.get(f"/v1/jobs/{job_id}/checkpoints", params={"limit": 2}).json()
    assert ([item["id"] for item in first["data"]], first["has_more"]) == (made[:2], True)
    rest = client.get(f"/v1/jobs/{job_id}/checkpoints", params={"after": first["last_id"]}).json()
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (made[2:], False)


def test_a_checkpoint_says_where_its_tensors_lie(client, checkpoint, path):
    body = client.get(f"/v1/checkpoints/{checkpoint.id}").json()
    assert (body["object"], body["size"], body["sha256"]) == ("checkpoint", len(DATA), hashlib.sha256(DATA).hexdigest())
    assert body["tensors"] == [{"name": "anchor.0.weight", "dtype": "F32", "shape": [2, 2], "begin": 8, "end": 24}]
    assert body["links"]["content"] == path
    assert "blob_id" not in body


def test_the_content_comes_whole_with_its_digest(client, checkpoint, path):
    response = client.get(path)
    assert (response.status_code, response.content) == (200, DATA)
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response.headers["ETag"] == f'"{checkpoint.sha256}"'
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Length"] == str(len(DATA))
    assert response.headers["Content-Type"] == "application/vnd.safetensors"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{checkpoint.id}.safetensors"'


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=8-23", 8, 24),
        (f"bytes={CHUNK_SIZE - 3}-{CHUNK_SIZE + 2}", CHUNK_SIZE - 3, CHUNK_SIZE + 3),
        (f"bytes={2 * CHUNK_SIZE}-", 2 * CHUNK_SIZE, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
    ],
)
def test_one_range_of_the_content(client, path, header, start, stop):
    response = client.get(path, headers={"Range": header})
    assert (response.status_code, response.content) == (206, DATA[start:stop])
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert response.headers["Content-Length"] == str(stop - start)


def test_the_head_of_the_content_has_the_headers_and_no_body(client, path):
    head, whole = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "ETag", "Repr-Digest", "Accept-Ranges", "Content-Type"):
        assert head.headers[name] == whole.headers[name], name


def test_content_that_the_client_has_is_not_sent_again(client, checkpoint, path):
    for header in (f'"{checkpoint.sha256}"', f'W/"{checkpoint.sha256}"', f'"other", "{checkpoint.sha256}"', "*"):
        response = client.get(path, headers={"If-None-Match": header})
        assert (response.status_code, response.content) == (304, b""), header
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_range_counts_only_while_the_content_is_the_one_that_the_client_knows(client, checkpoint, path):
    known = client.get(path, headers={"Range": "bytes=0-9", "If-Range": f'"{checkpoint.sha256}"'})
    other = client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (known.status_code, other.status_code) == (206, 200)


def test_a_range_in_another_unit_means_the_whole_content(client, path):
    assert client.get(path, headers={"Range": "items=0-1"}).status_code == 200


@pytest.fixture
def damaged(client, submit, database):
    """Makes a checkpoint of three chunks and does something to its rows; returns the path of its content."""

    def _damaged(statement: str, **values: object) -> str:
        record = add_checkpoint(database, submit(), DATA)
        with database.write() as work:
            work.connection.execute(text(statement), {"blob_id": record.blob_id, **values})
        return f"/v1/checkpoints/{record.id}/content"

    return _damaged


FLIP = DATA[CHUNK_SIZE : 2 * CHUNK_SIZE - 1] + b"?"
DAMAGE = {
    "a byte": ("UPDATE blob_chunks SET data = :data WHERE blob_id = :blob_id AND seq = 1", {"data": FLIP}),
    "a checksum": ("UPDATE blob_chunks SET crc32 = crc32 + 1 WHERE blob_id = :blob_id AND seq = 1", {}),
    "no chunk": ("DELETE FROM blob_chunks WHERE blob_id = :blob_id AND seq = 1", {}),
    "a cut chunk, with the checksum of what is left": (
        "UPDATE blob_chunks SET data = :data, crc32 = :crc32 WHERE blob_id = :blob_id AND seq = 1",
        {"data": FLIP[:-1], "crc32": zlib.crc32(FLIP[:-1])},
    ),
    "a longer file": ("UPDATE blobs SET size = size + 1 WHERE id = :blob_id", {}),
    "another digest": ("UPDATE blobs SET sha256 = :digest WHERE id = :blob_id", {"digest": "00" * 32}),
    "half a blob": ("UPDATE blobs SET state = 'staging' WHERE id = :blob_id", {}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_content_is_refused_before_a_byte_is_sent(client, damaged, name):
    statement, values = DAMAGE[name]
    path = damaged(statement, **values)
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (500, "checkpoint_damaged")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "submit the job's spec again" in response.json()["detail"]
    assert "blob" not in response.text
    assert client.head(path).status_code == 500


def test_a_range_is_refused_when_a_chunk_that_it_touches_is_damaged_and_only_then(client, damaged):
    statement, values = DAMAGE["a byte"]
    path = damaged(statement, **values)
    touching = client.get(path, headers={"Range": f"bytes={CHUNK_SIZE - 1}-{CHUNK_SIZE}"})
    beside = client.get(path, headers={"Range": f"bytes=0-{CHUNK_SIZE - 1}"})
    assert (touching.status_code, touching.json()["code"]) == (500, "checkpoint_damaged")
    assert (beside.status_code, beside.content) == (206, DATA[:CHUNK_SIZE])


def test_chunks_in_another_order_are_found(client, submit, database):
    record = add_checkpoint(database, submit(), b"a" * CHUNK_SIZE + b"b" * CHUNK_SIZE)
    with database.write() as work:
        for shift in ("seq + 10", "11 - seq"):
            work.connection.execute(text(f"UPDATE blob_chunks SET seq = {shift} WHERE blob_id = :id"), {"id": record.blob_id})
    assert client.get(f"/v1/checkpoints/{record.id}/content").json()["code"] == "checkpoint_damaged"
