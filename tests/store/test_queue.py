"""Wake-ups on both brokers."""

from __future__ import annotations

import base64
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery

from ewc_core.errors import StoreUnavailable
from store.queue import CPU_QUEUE, WAKE_UP, WakeUps, celery_settings
from tests.backends.server_process import free_port


def arguments(message: dict) -> list:
    """The positional arguments in a message as the broker keeps it."""
    positional, _keywords, _embedded = json.loads(base64.b64decode(message["body"]))
    return positional


def test_a_wake_up_is_a_file_in_the_folder_that_workers_read(broker_dir: Path):
    wake_ups = WakeUps("filesystem://", broker_dir)
    wake_ups.publish()
    (file,) = (broker_dir / "messages").iterdir()
    message = json.loads(file.read_text())
    assert file.name.endswith(f".{CPU_QUEUE}.msg")
    assert message["headers"]["task"] == WAKE_UP
    assert arguments(message) == []
    assert list((broker_dir / "outgoing").iterdir()) == []
    wake_ups.close()


def test_threads_that_publish_at_once_deliver_every_message(broker_dir: Path):
    wake_ups = WakeUps("filesystem://", broker_dir)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: wake_ups.publish(), range(40)))
    wake_ups.close()
    found = [arguments(json.loads(file.read_text())) for file in (broker_dir / "messages").iterdir()]
    assert found == [[]] * 40


def test_a_worker_with_the_same_settings_receives_what_was_sent(stack):
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    wake_ups.ping()
    wake_ups.publish()
    worker = Celery("receiver", set_as_current=False)
    worker.conf.update(celery_settings(stack.broker_url, stack.broker_dir))
    with worker.connection_for_read() as connection, connection.SimpleQueue(CPU_QUEUE) as queue:
        message = queue.get(timeout=10)
        message.ack()
        assert message.headers["task"] == WAKE_UP
        assert message.payload[0] == []
    worker.close()
    wake_ups.close()


def test_a_redis_that_is_not_there_is_reported_at_once(broker_dir: Path):
    wake_ups = WakeUps(f"redis://127.0.0.1:{free_port()}/0", broker_dir)
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no wake-up was sent"):
        wake_ups.publish()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        wake_ups.ping()
    assert time.monotonic() - begin < 10
    wake_ups.close()


def test_a_sender_gets_over_a_connection_that_the_broker_has_cut(redis_server, broker_dir: Path):
    redis_server.empty()
    wake_ups = WakeUps(redis_server.url, broker_dir)
    wake_ups.publish()
    with redis_server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
        for _ in range(2):
            try:
                wake_ups.publish()
                break
            except StoreUnavailable:
                continue  # it may notice only by failing, but then it connects again
        assert client.llen(CPU_QUEUE) == 2
    wake_ups.close()


def test_a_broker_folder_that_is_gone_is_reported(broker_dir: Path):
    wake_ups = WakeUps("filesystem://", broker_dir)
    (broker_dir / "messages").rmdir()
    with pytest.raises(StoreUnavailable, match="no wake-up was sent"):
        wake_ups.publish()
    wake_ups.close()


def test_delivered_messages_are_deleted_when_they_are_old(broker_dir: Path):
    wake_ups = WakeUps("filesystem://", broker_dir)
    for name, age in (("old", 7200), ("new", 0)):
        file = broker_dir / "processed" / f"{name}.cpu.msg"
        file.write_text("{}")
        os.utime(file, (time.time() - age, time.time() - age))
    assert wake_ups.collect_processed(older_than_seconds=3600) == 1
    assert [file.name for file in (broker_dir / "processed").iterdir()] == ["new.cpu.msg"]
    wake_ups.close()


@pytest.mark.parametrize("url", ["filesystem://", "redis://host/0"])
def test_messages_are_acknowledged_early_leave_no_result_and_are_json(broker_dir: Path, url):
    settings = celery_settings(url, broker_dir)
    assert settings["task_acks_late"] is False
    assert settings["result_backend"] is None
    assert settings["task_ignore_result"] is True
    assert settings["worker_prefetch_multiplier"] == 1
    assert (settings["task_serializer"], settings["accept_content"]) == ("json", ["json"])
