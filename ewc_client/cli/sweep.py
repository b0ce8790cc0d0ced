"""`ewc sweep` and `ewc sweeps`: searching for the best values of a job's fields."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live

from ewc_client.cli import exit_codes
from ewc_client.cli.connection import KeyOption, UrlOption, connect
from ewc_client.cli.output import Output, OutputOption, print_result, print_table, say
from ewc_client.cli.own_service import Connected, connected
from ewc_client.cli.spec_file import read_object, set_value
from ewc_client.client import EWCClient
from ewc_client.errors import EWCClientError
from ewc_client.job import Job
from ewc_client.score_tables import percent
from ewc_client.sweep_tables import counts_text, settings_text, trial_table
from ewc_client.sweeps import Sweep
from ewc_client.terminal import Console, Text, message_console, print_json
from ewc_client.visible_text import visible_lines

app = typer.Typer(help="List, show, follow and cancel sweeps.", no_args_is_help=True)

SweepArgument = Annotated[str, typer.Argument(metavar="SWEEP", help="sweep id")]
SaveBestOption = Annotated[
    str | None, typer.Option("--save-best", metavar="FILE", help="write the job spec with the best setting, for `ewc submit`")
]
_LINES_AROUND_THE_TABLE = 5
_WIDTH_FOR_JOBS = 100


def sweep(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="sweep spec in JSON or YAML (see `ewc spec --kind sweep`), or - for standard input",
        ),
    ],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="follow the sweep to its end; its result is the exit status")
    ] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change the spec, for example num_trials=40")
    ] = None,
    save_best: SaveBestOption = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Search for the best values of a job's fields, scored on validation data: no trial looks at test data.

    With --watch and no service anywhere, one is started for as long as this command runs.
    """
    if save_best is not None and not watch:
        raise typer.BadParameter("--save-best needs --watch: the best setting is known at the end")
    spec = read_object(file, what="sweep spec")
    for assignment in assignments or []:
        set_value(spec, assignment)
    if "tasks" in spec:
        raise typer.BadParameter("this is a job, not a sweep; `ewc submit` takes it", param_hint="FILE")
    with connected(url, api_key, to_its_end=watch) as service:
        made = service.client.sweeps.create(spec)
        if watch:
            come_back = service.come_back("sweep", f"ewc sweeps watch {made.id}")
            _watch_to_end(service.client, made, output=output, save_best=save_best, come_back=come_back)
        elif output is Output.JSON:
            print_json(made.raw)
        else:
            say(f"sweep {made.id} submitted. Follow it with:", f"  ewc sweeps watch {made.id}")


@app.command("ls")
def list_sweeps(
    limit: Annotated[int, typer.Option(min=1, help="how many, newest first")] = 20,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List sweeps, newest first."""
    with connect(url, api_key) as client:
        found = list(islice(client.sweeps.list(page_size=min(limit, 100)), limit))
    if output is Output.JSON:
        print_json([item.raw for item in found])
        return
    rows = [(item.id, item.name, item.status, counts_text(item), item.created_at[:16].replace("T", " ")) for item in found]
    print_table(("id", "name", "status", "trials", "created (UTC)"), rows, empty="No sweeps. `ewc sweep FILE` makes one.")


@app.command("show")
def show(
    sweep: SweepArgument,
    save_best: SaveBestOption = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the trials of a sweep, the best first."""
    with connect(url, api_key) as client:
        found = client.sweeps.get(sweep)
        _report(found, output, save_best, progress=_progress(client, found) if output is Output.TABLE else {})


@app.command("watch")
def watch(
    sweep: SweepArgument,
    save_best: SaveBestOption = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Follow a sweep to its end, then print its trials. Ctrl-C detaches; the sweep goes on."""
    with connect(url, api_key) as client:
        found = client.sweeps.get(sweep)
        come_back = Connected(client, is_own=False).come_back("sweep", f"ewc sweeps watch {sweep}")
        _watch_to_end(client, found, output=output, save_best=save_best, come_back=come_back)


@app.command("cancel")
def cancel(sweep: SweepArgument, url: UrlOption = None, api_key: KeyOption = None, output: OutputOption = Output.TABLE) -> None:
    """End a sweep and cancel the jobs of its running trials."""
    with connect(url, api_key) as client:
        cancelled = client.sweeps.cancel(sweep)
    if output is Output.JSON:
        print_json(cancelled.raw)
    else:
        say(f"{cancelled.id} is {cancelled.status}; {counts_text(cancelled)}")


def _watch_to_end(client: EWCClient, sweep: Sweep, *, output: Output, save_best: str | None, come_back: Sequence[str]) -> None:
    """Follow, print the result, and leave with the sweep's exit status."""
    try:
        say(f"following {sweep.id} (Ctrl-C detaches)")
        sweep = _follow(client, sweep)
        why = f": {sweep.error.get('message')} ({sweep.error.get('code')})" if sweep.error else ""
        say(*visible_lines(f"sweep {sweep.id} {sweep.status}{why}"))
        _report(sweep, output, save_best)
    except KeyboardInterrupt:
        say("", f"Detached. {come_back[0]}", *come_back[1:])
        sys.exit(exit_codes.DETACHED)
    raise typer.Exit(exit_codes.of_job(sweep.status))


def _follow(client: EWCClient, sweep: Sweep) -> Sweep:
    console = message_console()
    return _follow_on_terminal(client, sweep, console) if console.is_terminal else _follow_in_lines(sweep)


def _follow_on_terminal(client: EWCClient, sweep: Sweep, console: Console) -> Sweep:
    now = sweep
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for now in sweep.follow():
            max_rows = max(1, console.height - _LINES_AROUND_THE_TABLE)
            with_jobs = console.width >= _WIDTH_FOR_JOBS
            table = trial_table(now, progress=_progress(client, now), max_rows=max_rows, with_jobs=with_jobs)
            live.update(Group(Text(counts_text(now)), Text(), table), refresh=True)
    return now


def _follow_in_lines(sweep: Sweep) -> Sweep:
    now, told = sweep, set[int]()
    for now in sweep.follow():
        for trial in now.trials:
            if trial.status != "running" and trial.number not in told:
                told.add(trial.number)
                result = "failed" if trial.score is None else f"{percent(trial.score)} %"
                say(f"trial {trial.number}  {settings_text(trial.parameters)}: {result}")
    return now


def _progress(client: EWCClient, sweep: Sweep) -> dict[int, str]:
    running = [trial for trial in sweep.trials if trial.status == "running"]
    return {trial.number: _progress_of(client.jobs.get(trial.job_id)) for trial in running}


def _progress_of(job: Job) -> str:
    at = job.progress
    if at.visit_index is None or not at.num_steps or at.step is None or not at.num_visits:
        return job.status
    return f"{job.status}, {percent((at.visit_index + at.step / at.num_steps) / at.num_visits)} % done"


def _report(sweep: Sweep, output: Output, save_best: str | None, *, progress: dict[int, str] | None = None) -> None:
    if save_best is not None:
        _save_best(sweep, save_best)
    if output is Output.JSON:
        print_json(sweep.raw)
        return
    if not sweep.trials:
        say("No trial has been made yet.")
        return
    print_result(trial_table(sweep, progress=progress))
    if sweep.best is None:
        return
    print_result("")
    print_result(Text(f"Best of {sweep.num_trials['completed']}: trial {sweep.best.number}, {_best_line(sweep)}"))
    if save_best is not None:
        say("What it is worth on test data, beside its controls:", f"  ewc submit {save_best} --watch")
    else:
        say(
            "What it is worth on test data, beside its controls:",
            f"  ewc sweeps show {sweep.id} --save-best best.json",
            "  ewc submit best.json --watch",
        )


def _best_line(sweep: Sweep) -> str:
    if sweep.best is None or sweep.best.score is None:
        return ""
    return f"{settings_text(sweep.best.parameters)}: mean validation score {percent(sweep.best.score)} % over all tasks."


def _save_best(sweep: Sweep, file: str) -> None:
    if sweep.best_job_spec is None:
        say(f"no trial of sweep {sweep.id} has a score, so there is no best job to write to {file}")
        return
    try:
        Path(file).write_text(json.dumps(sweep.best_job_spec, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise EWCClientError(f"the best job spec cannot be written to {file!r}: {error}") from error
    say(f"best job spec written to {file}")
