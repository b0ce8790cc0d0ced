"""`ewc switch` and `ewc close`: announcing what a job learns next."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, say
from ewc_client.cli.spec_file import read_object
from ewc_client.models import TaskSwitch
from ewc_client.terminal import print_json


def switch(
    job: JobArgument,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="a new task: a JSON or YAML file, - for standard input, or '{...}'")
    ] = None,
    revisit: Annotated[int | None, typer.Option(metavar="INDEX", min=0, help="visit this task again")] = None,
    now: Annotated[bool, typer.Option("--now", help="end the running visit at its next step")] = False,
    sequence: Annotated[int | None, typer.Option(min=1, help="refuse unless this is the next sequence number")] = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Announce a new task, revisit one, or (--now alone) go on to the next one at once."""
    if task is not None and revisit is not None:
        raise typer.BadParameter("give a new TASK or --revisit INDEX, not both")
    if task is None and revisit is None and not now:
        raise typer.BadParameter("give a new TASK, --revisit INDEX, or --now")
    spec = None if task is None else read_object(task, what="task")
    with connect(url, api_key) as client:
        found = client.jobs.get(job)
        if spec is not None:
            made = found.switch("append", task=spec, now=now or None, sequence=sequence)
        elif revisit is not None:
            made = found.switch("revisit", task_index=revisit, now=now or None, sequence=sequence)
        else:
            made = found.switch("switch_now", sequence=sequence)
    _report(made, output)


def close(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Close a job's stream: it ends after the tasks announced so far."""
    with connect(url, api_key) as client:
        _report(client.jobs.get(job).close(), output)


def _report(switch: TaskSwitch, output: Output) -> None:
    if output is Output.JSON:
        print_json(switch.raw)
        return
    visit = "" if switch.visit_index is None else f": visit {switch.visit_index} will be on task {switch.task_index}"
    say(f"task switch {switch.sequence} ({switch.action}) recorded{visit}")
