"""Commands that look at jobs and steer them."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.job_view import print_job, progress_text
from ewc_client.cli.output import MatrixOutput, Output, OutputOption, print_result, print_table, say
from ewc_client.cli.task_view import show_task
from ewc_client.job import Job
from ewc_client.models import Task
from ewc_client.score_tables import score_view
from ewc_client.terminal import print_json, print_lines, result_console


def list_jobs(
    status: Annotated[str | None, typer.Option(help="only jobs with this status")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 20,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs, newest first."""
    with connect(url, api_key) as client:
        jobs = list(islice(client.jobs.list(status=status, page_size=min(limit, 100)), limit))
    if output is Output.JSON:
        print_json([job.raw for job in jobs])
        return
    headings = ["id", "kind", "name", "status", "progress", "created (UTC)"]
    rows = [_job_row(job) for job in jobs]
    if all(job.has_tasks for job in jobs):  # a column without a value takes no room
        del headings[1]
        rows = [[cell for place, cell in enumerate(row) if place != 1] for row in rows]
    print_table(headings, rows, empty="No jobs. `ewc submit FILE` makes one.")


def _job_row(job: Job) -> list[str | None]:
    """Of a job that learns tasks without its kind; a check has the name of the job that it looks at."""
    kind = "" if job.has_tasks else job.kind
    return [job.id, kind, job.name, job.status, progress_text(job), job.created_at[:16].replace("T", " ")]


def show(
    job: JobArgument,
    task: Annotated[int | None, typer.Option(min=0, help="show this task, with its data as they were read")] = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one job and its tasks, or one of its tasks."""
    with connect(url, api_key) as client:
        found = client.jobs.get(job)
        if task is not None:
            show_task(found, task, output)
            return
        if output is Output.JSON:
            print_json(found.raw)
            return
        print_job(found)
        if not found.has_tasks:
            return
        rows = [_task_row(task) for task in found.tasks()]
    print_result("")
    print_table(("task", "name", "status", "visits", "weight", "checkpoint"), rows, empty="No tasks.")


def matrix(
    job: JobArgument,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: Annotated[MatrixOutput, typer.Option("--output", "-o", help="form of the result")] = MatrixOutput.TABLE,
) -> None:
    """Print the score matrix of a job's method beside its controls, as far as it is known."""
    with connect(url, api_key) as client:
        found = client.jobs.get(job)
        if output is MatrixOutput.CSV:
            print_lines(found.matrix_csv())
            return
        scores = found.matrix()
    if output is MatrixOutput.JSON:
        print_json(scores.raw)
    else:
        print_result(score_view(scores, result_console()))


def cancel(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Cancel a job. What it has learned so far is kept."""
    with connect(url, api_key) as client:
        _report(client.jobs.cancel(job), output)


def pause(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Pause a job at its next step."""
    with connect(url, api_key) as client:
        _report(client.jobs.pause(job), output)


def resume(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Let a paused job go on."""
    with connect(url, api_key) as client:
        _report(client.jobs.resume(job), output)


def retry(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Let a failed job go on from its last resume point."""
    with connect(url, api_key) as client:
        _report(client.jobs.retry(job), output)


def priority(
    job: JobArgument,
    number: Annotated[int, typer.Argument(metavar="N", help="-1000 to 1000; those with the highest go first")],
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have a queued job taken earlier or later than others."""
    with connect(url, api_key) as client:
        changed = client.jobs.set_priority(job, number)
    if output is Output.JSON:
        print_json(changed.raw)
        return
    place = "" if changed.queue_position is None else f" (number {changed.queue_position} in the queue)"
    say(f"{changed.id} has priority {changed.priority}{place}")


def _task_row(task: Task) -> tuple[object, ...]:
    weight = "" if task.weight is None else f"{task.weight:g}"
    return task.task_index, task.name, task.status, task.num_visits, weight, task.checkpoint_id


def _report(job: Job, output: Output) -> None:
    if output is Output.JSON:
        print_json(job.raw)
        return
    asked = job.raw.get("desired_state", "run")
    note = f" (asked to {asked}; a worker does it at its next step)" if asked != "run" and not job.is_finished else ""
    say(f"{job.id} is {job.status}{note}")
