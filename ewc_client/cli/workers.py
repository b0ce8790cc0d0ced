"""The command that lists workers."""

from __future__ import annotations

from ewc_client.cli.connection import KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_table
from ewc_client.models import Worker
from ewc_client.terminal import print_json


def workers(url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """List the running workers: their slots, and what jobs can ask of them."""
    with connect(url, api_key) as client:
        found = client.workers()
    if output is Output.JSON:
        print_json([worker.raw for worker in found])
        return
    rows = [
        (
            worker.id,
            f"{worker.num_training} of {worker.slots}",
            f"{worker.num_short} of 1",
            _memory(worker),
            " ".join(worker.labels),
        )
        for worker in found
    ]
    print_table(("id", "training", "short", "memory", "labels"), rows, empty="No worker is running.")


def _memory(worker: Worker) -> str:
    return (
        "" if worker.memory_bytes is None else f"{_gibibytes(worker.held_memory_bytes)} of {_gibibytes(worker.memory_bytes)} GiB"
    )


def _gibibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.3g}"
