"""What lies in a queue and is no wake-up is set aside; the wake-up behind it arrives."""

from __future__ import annotations

import base64
import json
import os
import pickle
import resource
import shutil

import pytest
from celery import Celery
from redis import Redis

from ewc_core.errors import StoreUnavailable
from store.brokers.folders import NUM_UNREADABLE
from store.brokers.wake_up import NotAWakeUp, require_wake_up
from store.queue import CPU_QUEUE, WakeUps, celery_settings


def stored(
    arguments: object, *, task: object = "worker.wake_up", content_type: object = "application/json", **headers: object
) -> bytes:
    """A message as a broker keeps it."""
    body = base64.b64encode(json.dumps(arguments).encode()).decode()
    message = {
        "body": body,
        "content-type": content_type,
        "content-encoding": "utf-8",
        "headers": {"task": task, "id": "m", **headers},
        "properties": {"delivery_tag": "t", "body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": "cpu"}},
    }
    return json.dumps(message).encode()


GOOD = stored([[], {}, {}])
NAMING_A_JOB = stored([["job_1"], {}, {}])
LOOK = [[], {}]
GARBAGE = {
    "empty": b"",
    "cut": GOOD[:-20],
    "not text": b"\xff\xfe\x00",
    "a pickle": pickle.dumps({"task": "worker.wake_up"}),
    "nothing": b"null",
    "a number": b"17",
    "a list": b"[1, 2, 3]",
    "a deep list": b"[" * 50_000,
    "no headers": json.dumps({"body": "e30=", "properties": {}}).encode(),
    "headers in a list": json.dumps({**json.loads(GOOD), "headers": ["task"]}).encode(),
    "another sender's": stored([[], {}, {}], task="celery.backend_cleanup"),
    "a task that is no name": stored([["job_1"], {}, {}], task={"a": 1}),
    "a pickled body": stored([["job_1"], {}, {}], content_type="application/x-python-serialize"),
    "a body that is no base64": json.dumps({**json.loads(GOOD), "body": "%%%"}).encode(),
    "a body that is a number": json.dumps({**json.loads(GOOD), "body": 7}).encode(),
    "two arguments": stored([["job_1", "job_2"], {}, {}]),
    "named arguments": stored([[], {"job_id": "job_1"}, {}]),
    "an id that is a number": stored([[7], {}, {}]),
    "an id that is a table": stored([[{"id": "job_1"}], {}, {}]),
    "an id with a zero byte": stored([["job_\x00"], {}, {}]),
    "arguments that are text": stored("job_1"),
    "kombu's own escapes": b'{"__type__": "decimal", "__value__": []}',
}


@pytest.fixture
def receiver(stack):
    """Takes `num` messages as a worker's consumer does; returns their arguments."""
    app = Celery("receiver", set_as_current=False)
    app.conf.update(celery_settings(stack.broker_url, stack.broker_dir))

    def receive(num: int = 1, *, patience: float = 5) -> list[object]:
        received: list[object] = []

        def note(body: object, message) -> None:
            received.append(message.payload[:2])
            message.ack()

        with app.connection_for_read() as connection, connection.Consumer(app.amqp.queues[CPU_QUEUE], callbacks=[note]):
            while len(received) < num:
                connection.drain_events(timeout=patience)
        return received

    yield receive
    app.close()


@pytest.fixture
def put(stack):
    """Leaves bytes where a broker keeps its messages, ahead of all that is sent later."""

    def _put(name: str, content: bytes) -> None:
        if stack.name == "embedded":
            (stack.broker_dir / "messages" / f"0 {name}.{CPU_QUEUE}.msg").write_bytes(content)
        else:
            with Redis.from_url(stack.broker_url) as client:
                client.lpush(CPU_QUEUE, content)

    return _put


@pytest.fixture
def num_set_aside(stack):
    def _num() -> int:
        if stack.name == "embedded":
            return len(list((stack.broker_dir / "unreadable").iterdir()))
        with Redis.from_url(stack.broker_url) as client:
            return client.llen(f"{CPU_QUEUE}.unreadable")

    return _num


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_told_from_a_wake_up(name):
    with pytest.raises(NotAWakeUp):
        require_wake_up(GARBAGE[name])


def test_garbage_is_set_aside_and_the_wake_up_behind_it_arrives(stack, receiver, put, num_set_aside, caplog):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    chosen = list(GARBAGE.items())[-NUM_UNREADABLE + 3 :]
    for name, content in chosen:
        put(name, content)
    put("a wake-up with an order for the year 2999", stored([[], {}, {}], eta="2999-01-01T00:00:00", timelimit="x"))
    wake_ups.publish()
    assert receiver(2) == [LOOK, LOOK]
    assert num_set_aside() == len(chosen)
    assert sum("cannot be read and is set aside" in record.message for record in caplog.records) == len(chosen)
    wake_ups.close()


def test_messages_of_version_0_2_which_name_a_job_arrive_as_looks(stack, receiver, put, num_set_aside):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    for number in range(3):
        put(f"{number:03}", NAMING_A_JOB)
    wake_ups.publish()
    assert receiver(4) == [LOOK] * 4
    assert stack.name != "embedded" or not (stack.broker_dir / "unreadable").exists()
    assert stack.name == "embedded" or num_set_aside() == 0
    wake_ups.close()


def test_what_is_set_aside_is_bounded(stack, receiver, put, num_set_aside):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    for number in range(NUM_UNREADABLE + 5):
        put(f"{number:03}", b"")
    wake_ups.publish()
    assert receiver() == [LOOK]
    assert num_set_aside() == NUM_UNREADABLE
    wake_ups.close()


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_a_folder_a_pipe_and_a_huge_file_are_set_aside_too(stack, receiver):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    messages = stack.broker_dir / "messages"
    (messages / "01.cpu.msg").mkdir()
    (messages / "01.cpu.msg" / "inside").write_text("x")
    os.mkfifo(messages / "02.cpu.msg")
    with (messages / "03.cpu.msg").open("wb") as huge:
        huge.truncate(1 << 40)
    (messages / "04.cpu.msg").symlink_to("nowhere")
    wake_ups.publish()
    assert receiver() == [LOOK]
    assert len(list((stack.broker_dir / "unreadable").iterdir())) == 4
    wake_ups.close()


@pytest.mark.parametrize("stack", ["servers"], indirect=True)
def test_keys_of_another_type_are_set_aside(stack, receiver):
    keys = (CPU_QUEUE, f"_kombu.binding.{CPU_QUEUE}")
    with Redis.from_url(stack.broker_url) as client:
        for key in keys:
            client.set(key, "other")
        with pytest.raises(TimeoutError):
            receiver(patience=0.1)
        assert [client.get(key) for key in client.keys("*unreadable*")] == [b"other", b"other"]
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    wake_ups.publish()
    assert receiver() == [LOOK]
    wake_ups.close()


@pytest.mark.parametrize("stack", ["servers"], indirect=True)
def test_kombus_table_of_unacknowledged_messages_is_neither_read_nor_written(stack, receiver):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    wake_ups.publish()
    with Redis.from_url(stack.broker_url) as client:
        for key in ("unacked", "unacked_index", "unacked_mutex"):
            client.set(key, "other")
        assert receiver() == [LOOK]
        assert [client.get(key) for key in client.keys("unacked*")] == [b"other"] * 3
    wake_ups.close()


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_a_send_that_fails_half_way_leaves_no_draft_and_no_message(stack):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    wake_ups.publish()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # as on a full disk, the write stops after some bytes
    try:
        with pytest.raises(StoreUnavailable, match="no wake-up was sent"):
            wake_ups.publish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((stack.broker_dir / "outgoing").iterdir()) == []
    assert len(list((stack.broker_dir / "messages").iterdir())) == 1
    wake_ups.publish()
    whole = list((stack.broker_dir / "messages").iterdir())
    assert len(whole) == 2
    for file in whole:
        require_wake_up(file.read_bytes())
    wake_ups.close()


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_what_dead_senders_left_and_folders_among_the_received_are_collected(stack):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    (stack.broker_dir / "outgoing" / "0123abcd").mkdir(parents=True)
    (stack.broker_dir / "outgoing" / "0123abcd" / "draft.cpu.msg").touch()
    (stack.broker_dir / "processed" / "folder.cpu.msg").mkdir()
    assert wake_ups.collect_processed(older_than_seconds=3600) == 0
    assert wake_ups.collect_processed(older_than_seconds=-1) == 2
    assert list((stack.broker_dir / "outgoing").iterdir()) == list((stack.broker_dir / "processed").iterdir()) == []
    wake_ups.close()


@pytest.mark.parametrize("stack", ["embedded"], indirect=True)
def test_a_receiver_makes_folders_that_are_gone_again(stack, receiver):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    wake_ups.publish()
    (stack.broker_dir / "processed").rmdir()
    assert receiver() == [LOOK]
    shutil.rmtree(stack.broker_dir)
    with pytest.raises(TimeoutError):
        receiver(patience=0.1)
    wake_ups.publish()
    assert receiver() == [LOOK]
    wake_ups.close()
