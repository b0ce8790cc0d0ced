"""Commands that look at jobs and steer them."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import (
    MatrixOutput,
    Output,
    OutputOption,
    print_fields,
    print_json,
    print_result,
    print_table,
    result_console,
    say,
)
from ewc_client.jobs import Job
from ewc_client.score_tables import score_view


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
    rows = [(job.id, job.name, job.status, _progress(job), job.created_at[:16].replace("T", " ")) for job in jobs]
    print_table(("id", "name", "status", "progress", "created (UTC)"), rows, empty="No jobs. `ewc submit FILE` makes one.")


def show(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show one job and its tasks."""
    with connect(url, api_key) as client:
        found = client.jobs.get(job)
        if output is Output.JSON:
            print_json(found.raw)
            return
        print_job(found)
        rows = [(task.task_index, task.name, task.status, task.num_visits, task.checkpoint_id) for task in found.tasks()]
    print_result("")
    print_table(("task", "name", "status", "visits", "checkpoint"), rows, empty="No tasks.")


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
            typer.echo(found.matrix_csv(), nl=False)
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


def print_job(job: Job) -> None:
    """One job for people."""
    error = job.error or {}
    print_fields(
        [
            ("job", job.id),
            ("name", job.name),
            ("status", _status(job)),
            ("error", f"{error.get('code')}: {error.get('message')}" if error else None),
            ("progress", _progress(job)),
            ("stream", job.stream),
            ("method", _method(job)),
            ("weights", f"sha256 {job.weights_sha256}" if job.weights_sha256 else None),
            ("created", job.created_at),
        ]
    )


def _report(job: Job, output: Output) -> None:
    if output is Output.JSON:
        print_json(job.raw)
        return
    asked = job.raw.get("desired_state", "run")
    note = f" (asked to {asked}; a worker does it at its next step)" if asked != "run" and not job.is_finished else ""
    say(f"{job.id} is {job.status}{note}")


def _progress(job: Job) -> str:
    at = job.progress
    if at.visit_index is None:
        return f"{at.num_visits} visits to come" if at.num_visits and not job.is_finished else ""
    visit = f"visit {at.visit_index} ({at.visit_index + 1}/{at.num_visits})"
    return f"{visit}, step {at.step}/{at.num_steps}" if at.num_steps and not job.is_finished else visit


def _status(job: Job) -> str:
    reason = job.status_reason
    return f"{job.status} ({reason})" if reason and reason != job.status else job.status


def _method(job: Job) -> str:
    method = dict(job.spec.get("method", {}))
    kind = str(method.pop("kind", ""))
    options = ", ".join(f"{name} {value}" for name, value in method.items() if value is not None)
    controls = " and ".join(job.spec.get("controls", []))
    return kind + (f" ({options})" if options else "") + (f", beside {controls}" if controls else "")
