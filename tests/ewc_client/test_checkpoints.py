"""Downloads: whole, cut, corrupt, and one tensor at a time."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from ewc_client import Checkpoint, EWCClient
from ewc_client.errors import IntegrityError, NotFoundError, ServerError, ServiceUnreachableError
from ewc_client.transport import Transport
from tests.api.lives import SPEC, add_checkpoint
from tests.ewc_client.conftest import QUICK, Service
from tests.ewc_client.scripted_server import Answer, Asked, ScriptedServer, json_answer

DATA = bytes(range(256)) * 4000


def checkpoint_at(url: str, *, sha256: str | None = None) -> tuple[Checkpoint, Transport]:
    transport = Transport(url, None, retries=QUICK)
    body = {
        "id": "ckpt_x",
        "job_id": "job_x",
        "visit_index": 0,
        "task_index": 0,
        "method": "ewc",
        "size": len(DATA),
        "sha256": sha256 or hashlib.sha256(DATA).hexdigest(),
        "weights_sha256": "",
        "created_at": "2026-01-01T00:00:00Z",
        "tensors": [{"name": "a", "dtype": "F32", "shape": [2], "begin": 8, "end": 16}],
    }
    return Checkpoint.from_body(body, transport), transport


def ranged(asked: Asked, *, cut_after: int | None = None) -> Answer:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers["Range"])
    assert match is not None
    body = DATA[int(match[1]) : int(match[2]) + 1 if match[2] else None]
    return Answer(206, body, cut_after=cut_after)


def test_a_download_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def answer(asked: Asked, number: int) -> Answer:
        return ranged(asked, cut_after=100_000 if number < 9 else None)

    with ScriptedServer(answer) as server:
        checkpoint, transport = checkpoint_at(server.url)
        path = checkpoint.download(tmp_path / "c.safetensors")
        transport.close()
    assert path.read_bytes() == DATA
    starts = [int(asked.headers["Range"].removeprefix("bytes=").rstrip("-")) for asked in server.asked]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert starts[-1] > 800_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_goes_on_from_what_an_earlier_process_left(tmp_path: Path) -> None:
    (tmp_path / "c.part").write_bytes(DATA[:5000])
    with ScriptedServer(lambda asked, number: ranged(asked)) as server:
        checkpoint, transport = checkpoint_at(server.url)
        assert checkpoint.download(tmp_path / "c").read_bytes() == DATA
        transport.close()
    assert [asked.headers["Range"] for asked in server.asked] == ["bytes=5000-"]


def test_a_service_that_ignores_the_range_gives_the_whole_file_once(tmp_path: Path) -> None:
    (tmp_path / "c.part").write_bytes(b"x" * 5000)
    with ScriptedServer(lambda asked, number: Answer(200, DATA)) as server:
        checkpoint, transport = checkpoint_at(server.url)
        assert checkpoint.download(tmp_path / "c").read_bytes() == DATA
        transport.close()


def test_corrupt_bytes_never_get_the_file_name(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked, number: ranged(asked)) as server:
        checkpoint, transport = checkpoint_at(server.url, sha256="0" * 64)
        with pytest.raises(IntegrityError, match="SHA-256 of the download"):
            checkpoint.download(tmp_path / "c")
        transport.close()
    assert list(tmp_path.iterdir()) == []


def test_a_download_without_any_progress_is_given_up(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked, number: ranged(asked, cut_after=0)) as server:
        checkpoint, transport = checkpoint_at(server.url)
        with pytest.raises(ServiceUnreachableError):
            checkpoint.download(tmp_path / "c")
        transport.close()
        assert len(server.asked) == 1 + QUICK.num_retries


def test_a_refusal_during_a_download_is_not_repeated(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked, number: json_answer({"code": "blob_corrupt", "detail": "bad"}, 500)) as server:
        checkpoint, transport = checkpoint_at(server.url)
        with pytest.raises(ServerError, match="blob_corrupt"):
            checkpoint.download(tmp_path / "c")
        transport.close()
        assert len(server.asked) == 1


def test_a_tensor_that_came_without_its_range_is_refused() -> None:
    with ScriptedServer(lambda asked, number: Answer(200, DATA)) as server:
        checkpoint, transport = checkpoint_at(server.url)
        with pytest.raises(IntegrityError, match="asked for the 8 bytes of 'a'"):
            checkpoint.read_tensor_bytes("a")
        transport.close()


def test_the_real_service_sends_the_file_and_one_tensor_of_it(service: Service, client: EWCClient, tmp_path: Path) -> None:
    job = client.jobs.create(SPEC)
    record = add_checkpoint(service.database, job.id, DATA)
    [checkpoint] = job.checkpoints()
    assert checkpoint.id == record.id
    (tmp_path / "c.part").write_bytes(DATA[:70_000])
    assert checkpoint.download(tmp_path / "c").read_bytes() == DATA
    assert client.checkpoint(record.id).read_tensor_bytes("anchor.0.weight") == DATA[8:24]
    with pytest.raises(NotFoundError, match=r"no tensor 'nothing'; it has anchor\.0\.weight"):
        checkpoint.read_tensor_bytes("nothing")
