"""Commands for data sets on this machine. They need no service."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TimeRemainingColumn

from ewc_client.cli import exit_codes
from ewc_client.cli.output import Output, OutputOption, say
from ewc_client.data_fetch import PUBLISHED, Meter, PublishedDataset, fetch_dataset
from ewc_client.terminal import TextColumn, message_console, print_json

_TIMEOUT_SECONDS = 30.0

app = typer.Typer(help="Get public data sets.", no_args_is_help=True)


class FetchableDataset(StrEnum):
    """Data sets that `ewc data fetch` knows."""

    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"


@app.callback()
def _group() -> None:
    """Get public data sets."""


@app.command("fetch")
def fetch(
    dataset: Annotated[FetchableDataset, typer.Argument(metavar="DATASET", help="mnist or fashion-mnist")],
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="folder of data sets", envvar="EWC_DATA_DIR")] = None,
    mirror: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="folder to fetch from, instead of the public mirrors")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Download a data set into the data directory, with verified checksums. A cut download goes on where it stopped."""
    if data_dir is None:
        raise typer.BadParameter("no data directory: give --data-dir DIR, or set EWC_DATA_DIR", param_hint="--data-dir")
    published = PUBLISHED[dataset.value]
    try:
        with _bars() as meter, httpx.Client(timeout=_TIMEOUT_SECONDS) as http:
            files = []
            for file in fetch_dataset(
                published, data_dir, mirrors=(mirror,) if mirror else published.mirrors, http=http, meter=meter
            ):
                files.append(file)
                say(f"{file.path}: {'already there' if file.status == 'present' else 'fetched'}, checksum verified")
    except KeyboardInterrupt:
        say("interrupted; the same command goes on where it stopped")
        raise typer.Exit(exit_codes.DETACHED) from None
    if output is Output.JSON:
        print_json({"dataset": published.name, "files": [{"path": str(file.path), "status": file.status} for file in files]})
    else:
        say(*_what_next(published, data_dir))


def _what_next(published: PublishedDataset, data_dir: Path) -> tuple[str, ...]:
    setting = f"EWC_DATA_DIR={shlex.quote(str(data_dir.resolve()))}"
    if published.name == FetchableDataset.MNIST.value:
        return "", "Next:", f"  {setting} ewc submit examples/permuted_mnist.json --watch"
    return "", f'Next: tasks with "dataset": "{published.name}", where the service runs with', f"  {setting}"


@contextmanager
def _bars() -> Iterator[Meter]:
    """One progress bar per file, on a terminal only."""
    console = message_console()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}

        def _tell(name: str, done: int, total: int | None) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done, total=total)

        yield _tell
