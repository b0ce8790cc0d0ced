"""A port is taken once, and a refusal says why."""

from __future__ import annotations

import pytest

from ewc_client.embedded import EmbeddedError
from ewc_client.embedded.listener import take_port


def test_a_port_that_is_taken_is_not_given_again_and_another_is_found() -> None:
    said: list[str] = []
    with take_port("127.0.0.1", 0, say=said.append) as first:
        port = first.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port} on 127.0.0.1 is taken"):
            take_port("127.0.0.1", port, say=said.append)
        with take_port("127.0.0.1", 0, say=said.append) as second:
            assert second.getsockname()[1] != port
    assert said == []


@pytest.mark.parametrize("asked", [None, 0, 8123])
def test_a_host_that_is_not_of_this_machine_is_not_called_a_taken_port(asked: int | None) -> None:
    with pytest.raises(EmbeddedError, match="cannot be listened on"):
        take_port("192.0.2.1", asked, say=lambda line: None)
