"""What time limits for connections cost: the guarded connections and uvicorn's own, in turns.

Two servers of the same routes in processes of their own, asked for `/healthz` over kept connections; at every moment
only one of the two is asked. Compared is the processor time that the server spends on a request, which other programs
on the machine disturb less than requests a second. The ratio of a pair is guarded over plain.
"""

from __future__ import annotations

import http.client
import logging
import multiprocessing
import statistics
import threading
from multiprocessing.connection import Connection
from typing import Any

import psutil
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.operations.routes import router
from api.request_context import RequestContext
from api.server import Server

_NUM_PAIRS = 11
_NUM_CLIENTS = 4
_NUM_REQUESTS = 500


def run() -> dict[str, Any]:
    """Median ratio and quartiles over interleaved pairs, printed and returned."""
    spawn = multiprocessing.get_context("spawn")
    servers = []
    for guarded in (True, False):
        here, there = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(guarded, there), daemon=True)
        process.start()
        servers.append((process, int(here.recv())))
    try:
        for process, port in servers:
            _microseconds_per_request(process.pid, port)  # the first requests fill caches
        pairs = [tuple(_microseconds_per_request(process.pid, port) for process, port in servers) for _ in range(_NUM_PAIRS)]
    finally:
        for process, _ in servers:
            process.kill()
            process.join()
    low, median, high = statistics.quantiles([guarded / plain for guarded, plain in pairs], n=4)
    plain = statistics.median(plain for _, plain in pairs)
    print(f"guarded / plain: median {median:.3f}, quartiles {low:.3f} and {high:.3f} of {_NUM_PAIRS} pairs")
    print(f"plain: {plain:.0f} microseconds of processor time a request")
    return {"ratio": {"median": median, "quartiles": [low, high]}, "microseconds": pairs}


def _serve(guarded: bool, parent: Connection) -> None:
    class Announcing(Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            parent.send(self.servers[0].sockets[0].getsockname()[1])

    logging.disable()
    app = FastAPI()
    app.include_router(router)
    app.add_middleware(RequestContext)
    server = Announcing(app, host="127.0.0.1", port=0)
    if not guarded:
        server.config.http = H11Protocol
    server.run()


def _microseconds_per_request(pid: int, port: int) -> float:
    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(_NUM_REQUESTS):
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        connection.close()

    before = _processor_seconds(pid)
    clients = [threading.Thread(target=ask) for _ in range(_NUM_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return 1e6 * (_processor_seconds(pid) - before) / (_NUM_CLIENTS * _NUM_REQUESTS)


def _processor_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
