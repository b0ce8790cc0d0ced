"""Fifty clients at once, PostgreSQL, one job in training: how long does each route take beside one that does nothing?

All clients ask for one route at a time, over connections that stay open, and the routes take turns, so that whatever else
the machine does falls on all of them alike. The empty route is `GET /healthz`: a function in the thread pool that asks no
database and needs no key. Everything is on the loopback; `num_rounds` and `num_requests` bound the work.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.api_key_format import new_key
from migrations import run as migrations
from store.unit_of_work import Database
from tests.backends.postgresql import start_postgresql
from tests.backends.redis import start_redis
from tests.backends.server_process import free_port

REPOSITORY = Path(__file__).resolve().parents[1]
EMPTY = "empty route"
JOB: dict[str, Any] = {
    "network": {"hidden_sizes": [100, 100]},
    "training": {"num_epochs": 10_000},
    "method": {"kind": "ewc", "ewc_lambda": 100.0},
    "controls": ["naive"],
    "tasks": [{"dataset": "digits", "permutation": index} for index in range(10)],
}
START_SECONDS = 120.0


@dataclass(frozen=True)
class Route:
    """A request that all clients send."""

    method: str
    path: str
    body: bytes = b""
    status: int = 200


@dataclass(frozen=True)
class Service:
    """A running service and a job that it is training."""

    port: int
    key: str
    job_id: str


def measure(*, num_clients: int, num_rounds: int, num_requests: int) -> dict[str, Any]:
    """Milliseconds of each route, and the median and quartiles over rounds of its p50 over that of the empty route."""
    with service() as running:
        rounds = asyncio.run(_rounds(running, num_clients, num_rounds, num_requests))
    empty = [statistics.median(taken[EMPTY]) for taken in rounds]
    return {
        "num_clients": num_clients,
        "num_rounds": num_rounds,
        "num_requests": num_requests,
        "routes": {name: _summary([taken[name] for taken in rounds], empty, num_clients=num_clients) for name in rounds[0]},
    }


def routes_of(running: Service) -> dict[str, Route]:
    """What is asked, the empty route first."""
    job = f"/v1/jobs/{running.job_id}"
    submitted = json.dumps({**JOB, "tasks": JOB["tasks"][:3], "stream": "closed"}).encode()
    return {
        EMPTY: Route("GET", "/healthz"),
        "GET /jobs?limit=20": Route("GET", "/v1/jobs?limit=20"),
        "GET /jobs/{id}": Route("GET", job),
        "GET /jobs/{id}/events": Route("GET", f"{job}/events?limit=20"),
        "GET /jobs/{id}/tasks": Route("GET", f"{job}/tasks"),
        "GET .../matrix": Route("GET", f"{job}/evaluations/matrix"),
        "POST /jobs": Route("POST", "/v1/jobs", submitted, 201),
    }


@contextmanager
def service() -> Iterator[Service]:
    """The API and one worker as processes on a PostgreSQL and a Redis of their own, with one job in training and some
    more in the list."""
    with ExitStack() as started:
        directory = Path(started.enter_context(tempfile.TemporaryDirectory()))
        postgresql, redis = start_postgresql(), start_redis()
        started.callback(postgresql.stop)
        started.callback(redis.stop)
        port = free_port()
        environment = {
            **os.environ,
            "EWC_DATABASE_URL": postgresql.url(postgresql.create_database()),
            "EWC_BROKER_URL": redis.url,
            "EWC_STATE_DIR": str(directory),
            "EWC_API_PORT": str(port),
        }
        migrations.upgrade(environment["EWC_DATABASE_URL"])
        key = _make_key(environment["EWC_DATABASE_URL"])
        for module in ("api", "worker"):
            started.enter_context(_process(module, environment, log=directory / f"{module}.log"))
        yield Service(port, key, _job_in_training(port, key))


def _make_key(database_url: str) -> str:
    key = new_key()
    database = Database(database_url)
    with database.write() as work:
        scopes = ["jobs:read", "jobs:write"]
        work.api_keys.create(owner="load", name="load", scopes=scopes, prefix=key.prefix, secret_sha256=key.secret_sha256)
    database.close()
    return key.text


@contextmanager
def _process(module: str, environment: Mapping[str, str], *, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", module], cwd=REPOSITORY, env=environment, stdout=output, stderr=output)  # noqa: S603 (our own modules)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _job_in_training(port: int, key: str) -> str:
    """The first of 25 jobs, once a worker trains it."""
    deadline = time.monotonic() + START_SECONDS
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30, transport=transport
    ) as client:
        ids = [client.post("/jobs", json=JOB).raise_for_status().json()["id"] for _ in range(25)]
        for job_id in ids[1:]:
            client.post(f"/jobs/{job_id}/pause")
        while time.monotonic() < deadline:
            if client.get(f"/jobs/{ids[0]}").json()["progress"]["step"]:
                return str(ids[0])
            time.sleep(0.5)
    raise RuntimeError(f"no worker trained the job within {START_SECONDS:.0f} s")


async def _rounds(running: Service, num_clients: int, num_rounds: int, num_requests: int) -> list[dict[str, list[float]]]:
    """For each round, the seconds of every request, by route. The first round warms up and is left out."""
    connections = [await asyncio.open_connection("127.0.0.1", running.port, limit=2**24) for _ in range(num_clients)]
    routes = routes_of(running)
    rounds = []
    for _ in range(num_rounds + 1):
        taken = {}
        for name, route in routes.items():
            clients = (_ask(route, running.key, reader, writer, num_requests) for reader, writer in connections)
            taken[name] = [seconds for client in await asyncio.gather(*clients) for seconds in client]
        rounds.append(taken)
    for _, writer in connections:
        writer.close()
    return rounds[1:]


async def _ask(
    route: Route, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, num_requests: int
) -> list[float]:
    """Seconds of `num_requests` requests, one after the other. A client library would cost more than the answers do."""
    head = f"{route.method} {route.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(route.body)}\r\n\r\n"
    taken = []
    for _ in range(num_requests):
        started = time.perf_counter()
        writer.write(head.encode() + route.body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(answer.partition("content-length:")[2].split("\r\n")[0]))
        taken.append(time.perf_counter() - started)
        if int(answer.split()[1]) != route.status:
            raise RuntimeError(f"{route.method} {route.path} was answered with {answer.split()[1]}: {body[:500]!r}")
    return taken


def _summary(rounds: list[list[float]], empty: list[float], *, num_clients: int) -> dict[str, Any]:
    every = sorted(seconds for taken in rounds for seconds in taken)
    ratios = [statistics.median(taken) / nothing for taken, nothing in zip(rounds, empty, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "p50_ms": 1000 * statistics.median(every),
        "p95_ms": 1000 * every[int(0.95 * len(every))],
        "requests_per_second": num_clients / statistics.fmean(every),
        "ratio": middle,
        "ratio_quartiles": [low, high],
    }


def run() -> dict[str, Any]:
    """Print p50 and p95 of every route, and how often the empty one would have been answered meanwhile."""
    result = measure(num_clients=50, num_rounds=7, num_requests=4)
    print(f"{result['num_clients']} clients, {result['num_rounds']} rounds of {result['num_requests']} requests each per route")
    print(f"{'':24}{'p50, ms':>10}{'p95, ms':>10}{'per s':>8}{'ratio':>8}   quartiles")
    for name, figures in result["routes"].items():
        low, high = figures["ratio_quartiles"]
        print(
            f"{name:24}{figures['p50_ms']:10.1f}{figures['p95_ms']:10.1f}{figures['requests_per_second']:8.0f}"
            f"{figures['ratio']:8.2f}   {low:.2f} to {high:.2f}"
        )
    return result
