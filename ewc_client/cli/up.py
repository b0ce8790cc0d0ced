"""`ewc up`: the whole service on this machine."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from ewc_client.cli.output import Output, OutputOption, print_fields, say
from ewc_client.embedded import EmbeddedService
from ewc_client.service_location import state_dir
from ewc_client.terminal import print_json


class _StopAskedError(Exception):
    """SIGTERM or an interrupt while the service was starting."""


def up(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="[else EWC_API_PORT, else 8000 or a free one]", show_default=False)
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the service on this machine until Ctrl-C: database, API and one worker, under the state directory.

    The state directory is EWC_STATE_DIR, or .ewc here. With EWC_DATABASE_URL and EWC_BROKER_URL set, the same command
    runs on PostgreSQL and Redis.
    """
    stop, started = threading.Event(), threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()
        if not started.is_set():
            started.set()  # a second signal must not break the clean-up
            raise _StopAskedError

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup: the service outlives the terminal
        signal.signal(signal.SIGHUP, ask_to_stop)
    service = EmbeddedService(state_dir(), port=port, say=say)
    try:
        service.start()
        started.set()
        _tell(service, output)
        stop.wait()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C kills what is slow to stop
        say("stopping")
    except _StopAskedError:
        say("stopped while starting")
    finally:
        service.stop()


def _tell(service: EmbeddedService, output: Output) -> None:
    key_file = service.state.key_file
    if output is Output.JSON:
        print_json({"url": service.url, "api_key_file": str(key_file), "state_dir": str(service.state.path), "pid": os.getpid()})
        return
    key = key_file if key_file.exists() else "one of those made earlier (EWC_API_KEY)"
    print_fields([("service", service.url), ("API key", key), ("state", service.state.path), ("logs", service.state.logs)])
    same = f"with EWC_STATE_DIR={service.state.path}" if os.environ.get("EWC_STATE_DIR") else "in this directory"
    say("", f"In another terminal, {same}:", "  ewc submit FILE --watch", "  ewc ls")
    say("Ctrl-C stops the service; jobs keep their place.")
