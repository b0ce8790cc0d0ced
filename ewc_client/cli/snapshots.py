"""The command that lists snapshots."""

from __future__ import annotations

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_table
from ewc_client.snapshots import Snapshot
from ewc_client.terminal import print_json


def list_snapshots(
    job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE
) -> None:
    """List the snapshots that are kept of a job: one per finished visit, with all that is needed to go on from it."""
    with connect(url, api_key) as client:
        found = list(client.jobs.get(job).snapshots())
    if output is Output.JSON:
        print_json([snapshot.raw for snapshot in found])
        return
    rows = [
        (
            item.id,
            item.visit_index,
            item.task_index,
            ", ".join(item.methods),
            len(item.constraints),
            f"{item.num_bytes:,}",
            _replays(item),
        )
        for item in found
    ]
    print_table(("id", "visit", "task", "networks", "constraints", "bytes", "replays"), rows, empty="No snapshots yet.")


def _replays(snapshot: Snapshot) -> str:
    if snapshot.replay_bytes == 0:
        return ""
    return "kept" if snapshot.keeps_replays else "not kept"
