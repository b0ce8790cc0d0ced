"""`ewc watch`: following a job to its end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from ewc_client.cli import exit_codes
from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.job_view import failure_text
from ewc_client.cli.output import Output, OutputOption, print_result, say
from ewc_client.cli.own_service import Connected
from ewc_client.job import Job
from ewc_client.progress import follow
from ewc_client.result_tables import result_view
from ewc_client.score_tables import score_view
from ewc_client.terminal import message_console, print_json, result_console
from ewc_client.visible_text import visible_lines


def watch(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Follow a job to its end, then print its score matrix or its result. Ctrl-C detaches; the job goes on."""
    with connect(url, api_key) as client:
        come_back = Connected(client, is_own=False).come_back("job", f"ewc watch {job}")
        watch_to_end(client.jobs.get(job), output=output, come_back=come_back)


def watch_to_end(job: Job, *, output: Output, come_back: Sequence[str]) -> None:
    """Follow, print the result, and leave with the job's exit status. `come_back` is said when the user detaches."""
    try:
        say(f"following {job.id} (Ctrl-C detaches)")
        follow(job, console=message_console())
        job = job.refresh()
        report_end(job, output)
    except KeyboardInterrupt:
        say("", f"Detached. {come_back[0]}", *come_back[1:])
        sys.exit(exit_codes.DETACHED)
    raise typer.Exit(exit_codes.of_job(job.status))


def report_end(job: Job, output: Output) -> None:
    """How the job ended, and its scores or its result."""
    if output is Output.JSON:
        print_json({**job.raw, **_findings(job)})
        return
    why = failure_text(job)
    say(*visible_lines(f"job {job.id} {job.status}" + (f": {why}" if why else "")))
    if job.has_tasks:
        matrix = job.matrix()
        if any(scores.rows for scores in matrix.methods.values()):
            print_result("")
            print_result(score_view(matrix, result_console()))
    elif job.status == "succeeded":
        print_result("")
        print_result(result_view(job.result()))


def _findings(job: Job) -> dict[str, object]:
    if job.has_tasks:
        return {"matrix": job.matrix().raw}
    return {"result": job.result().raw if job.status == "succeeded" else None}
