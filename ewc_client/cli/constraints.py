"""`ewc reweight` and `ewc forget`: how strongly the constraint of a task counts."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, say
from ewc_client.models import Task
from ewc_client.terminal import print_json

TaskArgument = Annotated[int, typer.Argument(metavar="TASK", min=0, help="index of the task")]


def reweight(
    job: JobArgument,
    task: TaskArgument,
    weight: Annotated[float, typer.Argument(metavar="WEIGHT", min=0.0, help="1: as consolidated, 0: forgotten")],
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let a task's constraint count WEIGHT times, from the next visit on."""
    with connect(url, api_key) as client:
        _report(client.jobs.reweight(job, task, weight), output)


def forget(
    job: JobArgument, task: TaskArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE
) -> None:
    """Stop holding the network to a task, from the next visit on."""
    with connect(url, api_key) as client:
        _report(client.jobs.forget(job, task), output)


def _report(task: Task, output: Output) -> None:
    if output is Output.JSON:
        print_json(task.raw)
    else:
        say(f"task {task.task_index} ({task.name}) counts {task.weight:g} times from the next visit on")
