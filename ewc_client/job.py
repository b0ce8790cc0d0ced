"""One job: look at it, steer it, follow it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ewc_client.checkpoints import Checkpoint
from ewc_client.errors import JobCancelledError, JobFailedError
from ewc_client.findings import Analysis, Attempt, JobWarning, Result
from ewc_client.matrix import Matrix
from ewc_client.models import Body, Event, Metric, Progress, Task, TaskSwitch
from ewc_client.paging import T, fetch_all
from ewc_client.snapshots import Snapshot
from ewc_client.sse import EventStream
from ewc_client.transport import Transport

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
SwitchAction = Literal["append", "revisit", "switch_now", "close"]


@dataclass(frozen=True)
class Job:
    """A job as it was when it was read; every method that changes it returns it as it is then. `waiting_for`
    says why no running worker could take a queued job, if none could. Lists hold jobs without `spec` and `warnings`: there the
    first look at one of them asks the service for the whole job.
    """

    id: str
    name: str | None
    status: str
    status_reason: str | None
    stream: str
    progress: Progress
    attempt: int
    error: Body | None
    weights_sha256: str | None
    priority: int
    queue_position: int | None
    waiting_for: str | None
    created_at: str
    raw: Body = field(repr=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def from_body(cls, body: Body, transport: Transport) -> Job:
        """From a job's body."""
        return cls(
            id=str(body["id"]),
            name=body.get("name"),
            status=str(body["status"]),
            status_reason=body.get("status_reason"),
            stream=str(body["stream"]),
            progress=Progress.from_body(body.get("progress") or {}),
            attempt=int(body.get("attempt") or 0),
            error=body.get("error"),
            weights_sha256=body.get("weights_sha256"),
            priority=int(body.get("priority") or 0),
            queue_position=body.get("queue_position"),
            waiting_for=(body.get("waiting_for") or {}).get("message"),
            created_at=str(body["created_at"]),
            raw=body,
            _transport=transport,
        )

    @property
    def is_finished(self) -> bool:
        """Whether the job has come to its end: succeeded, failed or cancelled."""
        return self.status in FINISHED

    @cached_property
    def _whole(self) -> Body:
        return self.raw if "spec" in self.raw else self._get("")

    @property
    def spec(self) -> Body:
        """What was submitted, with its defaults filled in."""
        spec: Body = self._whole["spec"]
        return spec

    @property
    def warnings(self) -> tuple[JobWarning, ...]:
        """What the owner should know while the job runs on: the latest warning of each code."""
        return tuple(JobWarning.from_body(one) for one in self._whole.get("warnings") or ())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the submitter wrote beside the job."""
        metadata: Mapping[str, str] = self.raw["metadata"] if "metadata" in self.raw else self.spec.get("metadata", {})
        return metadata

    @property
    def kind(self) -> str:
        """What kind of job it is, such as supervised."""
        return str(self.raw["kind"] if "kind" in self.raw else self.spec["kind"])

    @property
    def has_tasks(self) -> bool:
        """Whether the job learns tasks and has a score matrix; any other job has a result."""
        return "tasks" in self.raw["links"]

    def refresh(self) -> Job:
        """The job as it is now."""
        return Job.from_body(self._get(""), self._transport)

    def set_priority(self, priority: int) -> Job:
        """Have the job taken earlier or later than others, while it is queued: those with the highest priority go first."""
        return Job.from_body(self._transport.request("PATCH", self._path, json={"priority": priority}).json(), self._transport)

    def cancel(self) -> Job:
        """Ask for the end of the job. What it has learned so far is kept."""
        return self._do("cancel")

    def pause(self) -> Job:
        """Ask the job to stop at its next step, and keep its place."""
        return self._do("pause")

    def resume(self) -> Job:
        """Let a paused job go on."""
        return self._do("resume")

    def retry(self) -> Job:
        """Let a failed job go on from its last resume point."""
        return self._do("retry")

    def switch(
        self,
        action: SwitchAction,
        *,
        task: Mapping[str, Any] | None = None,
        task_index: int | None = None,
        now: bool | None = None,
        sequence: int | None = None,
    ) -> TaskSwitch:
        """Announce a task switch: `append` a `task`, `revisit` a `task_index`, `switch_now`, or `close` the stream.

        With `now`, an append or revisit also ends the running visit. With `sequence`, the switch is refused unless it
        is the next one.
        """
        given: dict[str, Any] = {"action": action, "task": task, "task_index": task_index, "now": now, "sequence": sequence}
        body = {name: value for name, value in given.items() if value is not None}
        return TaskSwitch.from_body(self._transport.request("POST", f"{self._path}/task-switches", json=body).json())

    def close(self) -> TaskSwitch:
        """Close the stream: the job succeeds when the tasks announced so far are learned."""
        return self.switch("close")

    def tasks(self) -> list[Task]:
        """The tasks announced so far."""
        return list(fetch_all(self._transport, f"{self._path}/tasks", {"limit": 1000}, Task.from_body))

    def attempts(self) -> list[Attempt]:
        """The attempts to run the job so far, with where each ran."""
        return list(self._all("/attempts", Attempt.from_body))

    def reweight(self, task_index: int, weight: float) -> Task:
        """Let the constraint of a task count `weight` times from the next visit on."""
        path = f"{self._path}/tasks/{task_index}/reweight"
        return Task.from_body(self._transport.request("POST", path, json={"weight": weight}).json())

    def forget(self, task_index: int) -> Task:
        """Stop holding the network to a task from the next visit on; `reweight` brings it back."""
        return Task.from_body(self._transport.request("POST", f"{self._path}/tasks/{task_index}/forget").json())

    def task_switches(self) -> list[TaskSwitch]:
        """The task switches so far, in order."""
        return list(fetch_all(self._transport, f"{self._path}/task-switches", {"limit": 1000}, TaskSwitch.from_body))

    def events(
        self,
        *,
        after: int = 0,
        give_up_seconds: float = 300.0,
        on_reconnect: Callable[[Exception], None] | None = None,
        on_silence: Callable[[], None] | None = None,
    ) -> Iterator[Event]:
        """Events with a `seq` above `after`, as they happen, to the job's end. Cut connections are made again.

        `on_silence` is called two seconds after the last event, and then every 15 seconds until the next one.
        """
        return iter(
            EventStream(
                self._transport,
                self.id,
                after=after,
                give_up_seconds=give_up_seconds,
                on_reconnect=on_reconnect,
                on_silence=on_silence,
            )
        )

    def past_events(self, *, after: int = 0) -> Iterator[Event]:
        """Events with a `seq` above `after` that have been written already."""
        while True:
            body = self._transport.request("GET", f"{self._path}/events", params={"after": after, "limit": 100}).json()
            events = [Event.from_body(item) for item in body["data"]]
            yield from events
            if not body.get("has_more") or not events:
                return
            after = events[-1].seq

    def metrics(self, *, name: str | None = None, method: str | None = None, max_points: int | None = None) -> list[Metric]:
        """Points of the loss and penalty series, thinned by the service to `max_points`."""
        return [
            Metric(series["method"], series["name"], point["visit_index"], point["step"], point["value"])
            for series in self._get("/metrics", {"name": name, "method": method, "max_points": max_points})["series"]
            for point in series["points"]
        ]

    def matrix(self) -> Matrix:
        """The score matrix of the method and its controls, as far as it is known."""
        return Matrix.from_body(self._get("/evaluations/matrix"))

    def matrix_csv(self) -> str:
        """The score matrix as CSV text."""
        path = f"{self._path}/evaluations/matrix"
        return self._transport.request("GET", path, params={"format": "csv"}, headers={"Accept": "text/csv"}).text

    def result(self) -> Result:
        """What a job without tasks has found: an association, an analysis, a check.

        Raises:
            NotFoundError: it has found nothing yet (code `no_result`).
        """
        return Result.from_body(self._get("/result"))

    def analyse(
        self, question: Mapping[str, Any], *, name: str | None = None, seed: int = 0, idempotency_key: str | None = None
    ) -> Job:
        """Ask what this job has learned: a new job of kind `analysis` answers. A question has a `kind`: overlap,
        perturbation or capacity."""
        body = {**question, "seed": seed} | ({} if name is None else {"name": name})
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        answer = self._transport.request("POST", f"{self._path}/analyses", json=body, headers=headers)
        return Job.from_body(answer.json(), self._transport)

    def analyses(self) -> Iterator[Analysis]:
        """The questions asked about this job, newest first, with the answers found so far."""
        return self._all("/analyses", Analysis.from_body)

    def checkpoints(self) -> Iterator[Checkpoint]:
        """The checkpoints of consolidated tasks."""
        return self._all("/checkpoints", lambda body: Checkpoint.from_body(body, self._transport))

    def snapshots(self) -> Iterator[Snapshot]:
        """The snapshots that are kept, in the order of the visits that left them."""
        return self._all("/snapshots", Snapshot.from_body)

    def wait(self, *, progress: bool = False, check: bool = False, timeout_seconds: float | None = None) -> Job:
        """Follow the job to its end and return it.

        `progress` draws on standard error. `check` raises for an end other than success.

        Raises:
            TimeoutError: the job was still going after `timeout_seconds`; it goes on.
            JobFailedError, JobCancelledError: with `check`.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        if progress:
            from ewc_client.progress import follow  # the terminal library is only needed here

            follow(self)
        elif deadline is None:
            for _ in self.events():
                pass
        job = self.refresh()
        while not job.is_finished and deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"job {self.id} is {job.status!r} after {timeout_seconds} seconds; it goes on")
            self._transport.sleep(min(0.5, left))
            job = self.refresh()
        if check:
            _require_success(job)
        return job

    @property
    def _path(self) -> str:
        return f"/v1/jobs/{self.id}"

    def _get(self, suffix: str, params: Mapping[str, Any] | None = None) -> Body:
        body: Body = self._transport.request("GET", self._path + suffix, params=params).json()
        return body

    def _all(self, suffix: str, build: Callable[[Body], T]) -> Iterator[T]:
        return fetch_all(self._transport, self._path + suffix, {"limit": 100}, build)

    def _do(self, verb: str) -> Job:
        return Job.from_body(self._transport.request("POST", f"{self._path}/{verb}").json(), self._transport)


def _require_success(job: Job) -> None:
    if job.status == "cancelled":
        raise JobCancelledError(job.id)
    if job.status == "failed":
        error = job.error or {}
        raise JobFailedError(job.id, str(error.get("code", "unknown")), str(error.get("message", "no explanation")))
