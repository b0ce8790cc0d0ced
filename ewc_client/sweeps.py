"""Sweeps: submit, look at, wait for, cancel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ewc_client.models import Body
from ewc_client.paging import fetch_all
from ewc_client.transport import Transport, path_part

POLL_SECONDS = 1.0
_FINISHED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Trial:
    """One setting, tried as one job. `score`: mean validation score over all tasks after the last visit; None without one."""

    number: int
    job_id: str
    parameters: Mapping[str, Any]
    status: str
    score: float | None

    @classmethod
    def from_body(cls, body: Body) -> Trial:
        """From an item of a sweep's `trials`, or its `best`."""
        return cls(
            number=int(body["number"]),
            job_id=str(body["job_id"]),
            parameters=body["parameters"],
            status=str(body.get("status", "completed")),
            score=body.get("score"),
        )


@dataclass(frozen=True)
class Sweep:
    """A sweep as it was when it was read. In a list it has no trials, and the first look at its `spec` asks the service.

    `best_job_spec` is a job spec with the best setting, its controls, and test data: submit it to learn what the
    setting is worth.
    """

    id: str
    name: str | None
    status: str
    num_trials: Mapping[str, int]
    trials: tuple[Trial, ...]
    best: Trial | None
    best_job_spec: Body | None
    error: Body | None
    created_at: str
    raw: Body = field(repr=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def from_body(cls, body: Body, transport: Transport) -> Sweep:
        """From a sweep's body."""
        return cls(
            id=str(body["id"]),
            name=body.get("name"),
            status=str(body["status"]),
            num_trials=body["num_trials"],
            trials=tuple(Trial.from_body(trial) for trial in body.get("trials", ())),
            best=None if body.get("best") is None else Trial.from_body(body["best"]),
            best_job_spec=body.get("best_job_spec"),
            error=body.get("error"),
            created_at=str(body["created_at"]),
            raw=body,
            _transport=transport,
        )

    @cached_property
    def spec(self) -> Body:
        """What was submitted, with its defaults filled in."""
        spec: Body = self.raw["spec"] if "spec" in self.raw else self.refresh().raw["spec"]
        return spec

    @property
    def is_finished(self) -> bool:
        """Whether nothing is tried any more: succeeded, failed or cancelled."""
        return self.status in _FINISHED

    def refresh(self) -> Sweep:
        """The sweep as it is now."""
        return Sweep.from_body(self._transport.request("GET", self._path).json(), self._transport)

    def cancel(self) -> Sweep:
        """End the sweep and cancel the jobs of its running trials. The scores so far stay."""
        return Sweep.from_body(self._transport.request("POST", f"{self._path}/cancel").json(), self._transport)

    def follow(self, *, poll_seconds: float = POLL_SECONDS) -> Iterator[Sweep]:
        """The sweep as it is now and again after every `poll_seconds`, until it is finished."""
        sweep = self.refresh()
        yield sweep
        while not sweep.is_finished:
            self._transport.sleep(poll_seconds)
            sweep = sweep.refresh()
            yield sweep

    def wait(self, *, timeout_seconds: float | None = None, poll_seconds: float = POLL_SECONDS) -> Sweep:
        """The finished sweep.

        Raises:
            TimeoutError: the sweep was still going after `timeout_seconds`; it goes on.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        sweep = self
        for sweep in self.follow(poll_seconds=poll_seconds):
            if deadline is not None and not sweep.is_finished and time.monotonic() >= deadline:
                raise TimeoutError(f"sweep {self.id} is {sweep.status!r} after {timeout_seconds} seconds; it goes on")
        return sweep

    @property
    def _path(self) -> str:
        return f"/v1/sweeps/{self.id}"


class Sweeps:
    """The sweeps of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Sweep:
        """Submit a sweep spec. With an `idempotency_key` of your own, a repeated call in 24 hours returns the first sweep."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._sweep(self._transport.request("POST", "/v1/sweeps", json=dict(spec), headers=headers).json())

    def get(self, sweep_id: str) -> Sweep:
        """One sweep with its trials."""
        return self._sweep(self._transport.request("GET", f"/v1/sweeps/{path_part(sweep_id)}").json())

    def list(self, *, page_size: int = 20) -> Iterator[Sweep]:
        """Every sweep without its trials, newest first; pages are fetched as they are needed."""
        return fetch_all(self._transport, "/v1/sweeps", {"limit": page_size}, self._sweep)

    def cancel(self, sweep_id: str) -> Sweep:
        """End a sweep and cancel the jobs of its running trials."""
        return self._sweep(self._transport.request("POST", f"/v1/sweeps/{path_part(sweep_id)}/cancel").json())

    def _sweep(self, body: Body) -> Sweep:
        return Sweep.from_body(body, self._transport)
