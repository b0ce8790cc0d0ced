"""`ewc analyse`, `ewc analyses` and `ewc result`: what a job has learned, and what jobs without tasks have found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_result, print_table, say
from ewc_client.cli.spec_file import set_value
from ewc_client.cli.watch import watch_to_end
from ewc_client.result_tables import result_view
from ewc_client.terminal import print_json


class Question(StrEnum):
    """Kinds of analyses."""

    OVERLAP = "overlap"
    PERTURBATION = "perturbation"
    CAPACITY = "capacity"


_FIELDS_OF_TASKS = {Question.OVERLAP: ("first_task", "second_task"), Question.PERTURBATION: ("task",), Question.CAPACITY: ()}


def analyse(
    job: JobArgument,
    question: Annotated[Question, typer.Argument(help="what to ask")],
    tasks: Annotated[
        list[int] | None, typer.Option("--task", min=0, help="index of a task; overlap takes two (by default 0 and 1)")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="another of `ewc spec question`, for example num_examples=500"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="draws examples and noise")] = 0,
    name: Annotated[str | None, typer.Option(help="a name for the analysis")] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="wait for the answer and print it")] = False,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask what a job has learned: Fisher overlap of two tasks, robustness to noise, or how much of its capacity is used."""
    body = {"kind": question.value, **_tasks(question, tasks or [])}
    for assignment in assignments or []:
        set_value(body, assignment)
    with connect(url, api_key) as client:
        asked = client.jobs.analyse(job, body, name=name, seed=seed)
        if watch:
            watch_to_end(asked, output=output, come_back=("The analysis goes on. Come back with:", f"  ewc watch {asked.id}"))
        elif output is Output.JSON:
            print_json(asked.raw)
        else:
            say(f"analysis {asked.id} submitted. Follow it with:", f"  ewc watch {asked.id}")


def analyses(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the questions asked about a job, newest first."""
    with connect(url, api_key) as client:
        found = list(client.jobs.analyses(job))
    if output is Output.JSON:
        print_json([one.raw for one in found])
        return
    rows = [(one.id, one.name, one.question["kind"], one.status, one.raw["created_at"][:16].replace("T", " ")) for one in found]
    empty = f"Nothing has been asked. `ewc analyse {job} capacity` asks."
    print_table(("id", "name", "question", "status", "created (UTC)"), rows, empty=empty)


def result(job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """Print what an association or analysis job has found."""
    with connect(url, api_key) as client:
        found = client.jobs.result(job)
    if output is Output.JSON:
        print_json(found.raw)
    else:
        print_result(result_view(found))


def _tasks(question: Question, tasks: list[int]) -> dict[str, Any]:
    fields = _FIELDS_OF_TASKS[question]
    if tasks and len(tasks) != len(fields):
        raise typer.BadParameter(f"{question.value} takes {len(fields)} times --task, not {len(tasks)} times")
    return dict(zip(fields, tasks, strict=False))
