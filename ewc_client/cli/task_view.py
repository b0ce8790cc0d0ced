"""How `ewc show --task` prints a task: how far it is, and its data as they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from ewc_client.cli import exit_codes
from ewc_client.cli.output import Output, print_fields, print_result, say
from ewc_client.job import Job
from ewc_client.models import Body, Task
from ewc_client.terminal import Text, print_json

_CLASSES_IN_A_LINE = 20


def show_task(job: Job, index: int, output: Output) -> None:
    """Print one task of a job, or leave with the status of wrong usage where it has no such task."""
    tasks = {task.task_index: task for task in job.tasks()} if job.has_tasks else {}
    if index not in tasks:
        say(f"error: job {job.id} has {len(tasks)} tasks, and no task {index}")
        raise typer.Exit(exit_codes.USAGE)
    if output is Output.JSON:
        print_json(tasks[index].raw)
        return
    task = tasks[index]
    print_fields([*_standing(task), *_data(task.data)])
    for warning in (task.data or {}).get("warnings", []):
        print_result(Text(f"warning: {warning['message']} ({warning['code']})", style="yellow"))


def _standing(task: Task) -> list[tuple[str, object]]:
    return [
        ("task", f"{task.task_index} ({task.name})"),
        ("status", task.status),
        ("visits", task.num_visits),
        ("weight", task.weight),
        ("checkpoint", task.checkpoint_id),
    ]


def _data(data: Body | None) -> Iterator[tuple[str, object]]:
    if data is None:
        yield "data", "not loaded yet"
        return
    for digest in data["digests"]:
        yield "read from", " ".join(filter(None, (digest["name"], digest["version"], f"sha256 {digest['sha256']}")))
    if (read := data["as_read"]) is None:
        return
    yield "inputs", f"{'x'.join(map(str, read['input_shape']))}, {read['dtype']} {read['scaling']}, {_numbers(read['inputs'])}"
    yield "looked at", f"{read['num_examples_looked_at']} training examples"
    yield "targets", f"{read['likelihood']}, {read['num_outputs']} outputs" + _of_targets(read["targets"])
    for split, num_examples in read["num_examples"].items():
        if num_examples:
            yield split, f"{num_examples} examples" + _per_class(read["num_of_class"].get(split))
    if read["num_constant_columns"]:
        num_constant = read["num_constant_columns"]
        yield (
            "constant",
            f"{num_constant} {'column' if num_constant == 1 else 'columns'}: {_listed(read['constant_columns'], num_constant)}",
        )
    for merged in read["merged_columns"]:
        yield "merged", f"column {merged['column']!r}: {merged['num_stored']} values become {merged['num_read']} as float32"
    if read["left_out_columns"]:
        yield "left out", _listed(read["left_out_columns"], len(read["left_out_columns"]))


def _numbers(numbers: Mapping[str, Any]) -> str:
    return (
        f"{numbers['smallest']:.4g} to {numbers['largest']:.4g}, "
        f"mean {numbers['mean']:.4g}, standard deviation {numbers['standard_deviation']:.4g}"
    )


def _of_targets(targets: Mapping[str, Any] | None) -> str:
    return "" if targets is None else f", {_numbers(targets)}"


def _per_class(counts: Sequence[int] | None) -> str:
    if not counts:
        return ""
    more = f" and {len(counts) - _CLASSES_IN_A_LINE} more" if len(counts) > _CLASSES_IN_A_LINE else ""
    return f", per class {', '.join(map(str, counts[:_CLASSES_IN_A_LINE]))}{more}"


def _listed(names: Sequence[str], num_in_all: int) -> str:
    return ", ".join(map(repr, names)) + (f" and {num_in_all - len(names)} more" if num_in_all > len(names) else "")
