"""Following a job on standard error: one live bar per visit (or per job without visits) on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TimeRemainingColumn

from ewc_client.errors import RateLimitedError, ServerError, ServiceUnreachableError
from ewc_client.models import Body, Event
from ewc_client.score_tables import mean, percent, shorten
from ewc_client.terminal import Console, Text, TextColumn
from ewc_client.visible_text import visible, visible_lines

_PLAIN_SECONDS, _LONGEST_PLAIN_SECONDS = 10.0, 60.0
_PLAIN_SHARE = 0.05
_WIDTH_FOR_A_BAR, _WIDTH_BESIDE_A_NAME = 90, 30
_NUMBER = re.compile(r"[-+]?[0-9][-+.0-9e]*")
_STYLES = {"warn": "yellow", "error": "red"}
_TOLD_AS_THEY_ARE = frozenset({"switch.received", "switch.applied", "worker.lost", "visit.resumed"})
_SELF_EVIDENT = frozenset({"queued", "starting", "succeeded", "failed", "cancelled"})


class Followed(Protocol):
    """What following asks of a job."""

    @property
    def spec(self) -> Body: ...
    @property
    def status(self) -> str: ...
    @property
    def queue_position(self) -> int | None: ...
    @property
    def waiting_for(self) -> str | None: ...
    def refresh(self) -> Followed: ...
    def events(
        self, *, on_reconnect: Callable[[Exception], None] | None = None, on_silence: Callable[[], None] | None = None
    ) -> Iterator[Event]: ...


@dataclass
class VisitState:
    """The visit that is going on, as the events tell it. `index` is None in a job without visits, whose steps are units."""

    index: int | None
    task: str
    num_steps: int
    step: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    fisher: tuple[int, int] | None = None
    scores: dict[str, Mapping[str, float]] = field(default_factory=dict)
    are_returns: bool = False


class Narrator:
    """Turns events into lines to print, and keeps the state of the visit that is going on."""

    def __init__(self, score: str = "accuracy") -> None:
        """`score` is what the job's scores are called."""
        self.visit: VisitState | None = None
        self._score = score
        self._tasks_seen: set[str] = set()
        self._warnings: dict[tuple[str, str], int] = {}

    def take(self, event: Event) -> list[str]:
        """What to print for this event."""
        data = event.data
        if event.type in {"visit.started", "visit.resumed"}:
            self.visit = VisitState(int(data["visit_index"]), str(data["task"]), int(data["num_steps"]), int(data.get("step", 0)))
            self._tasks_seen.add(str(data["task_index"]))
        elif event.type == "visit.finished":
            return [self._finished(event)]
        elif event.type == "data.read":
            return [str(line) for line in data.get("lines") or [event.message]]
        elif event.type == "job.warning":
            return self._warning(event)
        elif event.type == "job.progress" and self.visit is None:
            self.visit = VisitState(None, "units", int(data["num_steps"]), int(data["step"]))
        elif self.visit is not None:
            _update(self.visit, event, self._tasks_seen)
        if event.type == "job.status" and data.get("to") not in _SELF_EVIDENT:
            return self._status(data)
        return visible_lines(event.message) if event.type in _TOLD_AS_THEY_ARE else []

    def _warning(self, event: Event) -> list[str]:
        """In full when it is new; of the same one about a later visit, with other numbers perhaps, only that it is there."""
        code, visit = str(event.data.get("code")), event.data.get("visit_index")
        if visit is None:
            return visible_lines(f"warning: {event.message} ({code})")
        first = self._warnings.setdefault((code, _NUMBER.sub("", event.message)), visit)
        if first == visit:
            return visible_lines(f"warning: {event.message} ({code})")
        return [visible(f"warning: the same of visit {visit} as of visit {first} ({code})")]

    def _status(self, data: Mapping[str, object]) -> list[str]:
        status, reason = str(data.get("to")), data.get("reason")
        if status == "running" and data.get("from") == "starting" and self.visit is None:
            return ["a worker has the job"]
        if status == "running":
            return []
        hint = {"waiting": "waiting for the next task: `ewc switch` announces one, `ewc close` ends the job"}.get(status)
        return [hint or f"job is {status}" + (f" ({reason})" if reason not in {None, "", status} else "")]

    def _finished(self, event: Event) -> str:
        visit, self.visit = self.visit, None
        index, num_steps = int(event.data["visit_index"]), int(event.data["num_steps"])
        if visit is None or not visit.scores:
            return f"visit {index} finished after {num_steps} steps"
        num_tasks = max(len(scores) for scores in visit.scores.values())
        averages = "  ".join(f"{method} {_average(scores, visit)}" for method, scores in visit.scores.items())
        tasks = "task" if num_tasks == 1 else "tasks"
        return f"visit {index}  {visit.task}  mean {self._score} over {num_tasks} {tasks}: {averages}"


def _average(scores: Mapping[str, float], visit: VisitState) -> str:
    average = mean(scores)
    return f"{average:.2f}" if visit.are_returns and average is not None else f"{percent(average):>4} %"


def _update(visit: VisitState, event: Event, tasks_seen: Collection[str]) -> None:
    """Scores on games that have not been played yet are no part of a mean over tasks."""
    data = event.data
    if event.type in {"visit.progress", "job.progress"}:
        visit.step, visit.num_steps = int(data["step"]), int(data["num_steps"])
        visit.losses = data.get("losses") or visit.losses
    elif event.type == "fisher.progress":
        visit.step, visit.fisher = visit.num_steps, (int(data["num_done"]), int(data["num_examples"]))
    elif event.type == "evaluation.completed":
        visit.scores[str(data["method"])] = {task: score for task, score in data["scores"].items() if task in tasks_seen}
        visit.are_returns = (data.get("details") or {}).get("metric") == "return"


def follow(job: Followed, *, console: Console | None = None) -> None:
    """Show a job's events from its first to its end. An interrupt only ends the showing."""
    console = console or Console(stderr=True, highlight=False)
    method = str(job.spec.get("method", {}).get("kind", ""))
    narrator = Narrator(_score_name(job))
    if console.is_terminal:
        _follow_on_terminal(_events(job, console), console, method, narrator)
    else:
        _follow_in_lines(_events(job, console), console, method, narrator)


def _events(job: Followed, console: Console) -> Iterator[Event]:
    """The job's events. While it is queued and nothing happens, its place in the queue is said whenever it is another one."""
    status, told = "queued", ""  # as every job begins

    def say_place() -> None:
        nonlocal told
        if status != "queued":
            return
        try:
            now = job.refresh()
            place = _place_in_queue(now) if now.status == "queued" else told
        except (RateLimitedError, ServerError, ServiceUnreachableError):  # the stream knows how long to go on without the service
            return
        if place != told:
            _say(console, place)
            told = place

    def say_lost(error: Exception) -> None:
        _say(console, f"connection lost ({error}); connecting again")

    for event in job.events(on_reconnect=say_lost, on_silence=say_place):
        if event.type == "job.status":
            status, told = str(event.data.get("to")), ""
        yield event


def _place_in_queue(job: Followed) -> str:
    num_before = (job.queue_position or 1) - 1
    before = {0: "it is next", 1: "1 job is before it"}.get(num_before, f"{num_before} jobs are before it")
    if job.waiting_for is None:
        return f"queued: {before}"
    return (
        f"queued: {before}, and {job.waiting_for} (`ewc workers` lists those that run; `ewc up` and `python -m worker` run one)"
    )


def _score_name(job: Followed) -> str:
    """What games give, and what only the data of a plug-in know, is called a score."""
    datasets = [task.get("dataset") for task in job.spec.get("tasks", [])]
    if None in datasets:
        return "score"
    own = [dataset for dataset in datasets if isinstance(dataset, dict)]
    if any(dataset.get("likelihood") == "gaussian" for dataset in own):
        return "R²"
    return "score" if any(dataset.get("kind") == "plugin" for dataset in own) else "accuracy"


def _follow_on_terminal(events: Iterator[Event], console: Console, method: str, narrator: Narrator) -> None:
    bar = TaskID(-1)
    with _bars(console) as progress:
        shown: VisitState | None = None
        for event in events:
            lines = narrator.take(event)
            visit = narrator.visit
            if shown is not None and visit is not shown:
                progress.remove_task(bar)
                shown = None
            for line in lines:
                _say(console, line, event.level)
            if visit is None:
                continue
            if shown is None:
                bar, shown = progress.add_task("", total=visit.num_steps, note=""), visit
            done, total, what = _stage(visit)
            what = shorten(what, max(20, console.width - _WIDTH_BESIDE_A_NAME))
            progress.update(bar, completed=done, total=total, description=what, note=_loss(visit, method))


def _follow_in_lines(events: Iterator[Event], console: Console, method: str, narrator: Narrator) -> None:
    """A line says something new: it comes when a twentieth more is done, or a minute is over in which something was."""
    last, said = time.monotonic(), ("", 0)
    for event in events:
        for line in narrator.take(event):
            _say(console, line, event.level)
            last = time.monotonic()
        seconds = time.monotonic() - last
        if narrator.visit is None or seconds <= _PLAIN_SECONDS:
            continue
        done, total, what = _stage(narrator.visit)
        known = said[1] if said[0] == what else 0
        if done != known and (done - known >= _PLAIN_SHARE * total or seconds > _LONGEST_PLAIN_SECONDS):
            _say(console, f"{what}: {done} of {total}  {_loss(narrator.visit, method)}".rstrip())
            last, said = time.monotonic(), (what, done)


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    has_room = console.width >= _WIDTH_FOR_A_BAR
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *([BarColumn(bar_width=20)] if has_room else []),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[note]}"),
        *([TimeRemainingColumn(compact=True)] if has_room else []),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def _stage(visit: VisitState) -> tuple[int, int, str]:
    name = visit.task if visit.index is None else f"visit {visit.index}  {visit.task}"
    if visit.fisher is not None:
        return *visit.fisher, f"{name}  Fisher"
    return visit.step, visit.num_steps, name


def _loss(visit: VisitState, method: str) -> str:
    loss = visit.losses.get(method)
    return "" if loss is None or visit.fisher is not None else f"loss {loss:.4f}"


def _say(console: Console, line: str, level: str = "info") -> None:
    console.print(Text(line, style=_STYLES.get(level, "")), soft_wrap=not console.is_terminal)
