"""Commands for checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ewc_client.cli.connection import JobArgument, KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_table, say
from ewc_client.terminal import print_json


def list_checkpoints(
    job: JobArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE
) -> None:
    """List the checkpoints of a job: one per visit, with anchor and Fisher."""
    with connect(url, api_key) as client:
        found = list(client.jobs.get(job).checkpoints())
    if output is Output.JSON:
        print_json([checkpoint.raw for checkpoint in found])
        return
    rows = [(item.id, item.visit_index, item.task_index, item.method, f"{item.size:,}", item.sha256[:16]) for item in found]
    print_table(("id", "visit", "task", "method", "bytes", "sha256"), rows, empty="No checkpoints yet.")


def get(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="checkpoint id")],
    to: Annotated[Path | None, typer.Option("--to", help="file to write [CHECKPOINT.safetensors]", show_default=False)] = None,
    tensor: Annotated[str | None, typer.Option(help="fetch only the raw bytes of this tensor")] = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Download a checkpoint (a cut download goes on where it stopped), or one of its tensors."""
    with connect(url, api_key) as client:
        found = client.checkpoint(checkpoint)
        if tensor is None:
            path = found.download(to or Path(f"{found.id}.safetensors"))
        else:
            path = to or Path(f"{found.id}.{tensor}.bin")
            path.write_bytes(found.read_tensor_bytes(tensor))
    if output is Output.JSON:
        print_json({"checkpoint": found.id, "path": str(path), "size": path.stat().st_size, "tensor": tensor})
    else:
        verified = "" if tensor is not None else ", SHA-256 verified"
        say(f"{path}: {path.stat().st_size:,} bytes{verified}")
