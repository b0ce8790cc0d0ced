"""The commands of `ewc`, and the one place where errors become messages and exit statuses."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from ewc_client.cli import (
    analyses,
    checkpoints,
    constraints,
    data,
    exit_codes,
    figure,
    jobs,
    keys,
    snapshots,
    spec,
    submit,
    sweep,
    switches,
    up,
    watch,
    workers,
)
from ewc_client.cli.groups import Group
from ewc_client.cli.output import say
from ewc_client.errors import EWCClientError
from ewc_client.terminal import print_lines
from ewc_client.version import VERSION

app = typer.Typer(
    name="ewc",
    cls=Group,
    epilog=exit_codes.EXPLANATION,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("submit")(submit.submit)
app.command("sweep")(sweep.sweep)
app.command("spec")(spec.spec)
app.command("ls")(jobs.list_jobs)
app.command("show")(jobs.show)
app.command("watch")(watch.watch)
app.command("matrix")(jobs.matrix)
app.command("switch")(switches.switch)
app.command("close")(switches.close)
app.command("pause")(jobs.pause)
app.command("resume")(jobs.resume)
app.command("cancel")(jobs.cancel)
app.command("retry")(jobs.retry)
app.command("priority", context_settings={"ignore_unknown_options": True})(jobs.priority)  # so that -5 is a number
app.command("reweight")(constraints.reweight)
app.command("forget")(constraints.forget)
app.command("analyse")(analyses.analyse)
app.command("analyses")(analyses.analyses)
app.command("result")(analyses.result)
app.command("figure")(figure.figure)
app.command("workers")(workers.workers)
app.command("checkpoints")(checkpoints.list_checkpoints)
app.command("snapshots")(snapshots.list_snapshots)
app.command("get")(checkpoints.get)
app.add_typer(sweep.app, name="sweeps", cls=Group)
app.add_typer(keys.app, name="keys", cls=Group)
app.add_typer(data.app, name="data", cls=Group)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_lines(f"ewc {VERSION}")
        raise typer.Exit(exit_codes.SUCCEEDED)


@app.callback()
def _ewc(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train one network on a sequence of tasks without forgetting the earlier ones."""


def main() -> None:
    """Run the command line. SIGTERM ends it even where a parent has ignored or blocked it; SIGHUP under nohup does not."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        app()
    except EWCClientError as error:
        say(*f"error: {error}".split("\n"))
        sys.exit(exit_codes.REFUSED)
    except BrokenPipeError:  # whoever read standard output has seen enough
        sys.stderr.close()
        sys.exit(exit_codes.SUCCEEDED)
