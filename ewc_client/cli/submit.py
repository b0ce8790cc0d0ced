"""`ewc submit`: submitting a job, and following it."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.cli import exit_codes
from ewc_client.cli.connection import KeyOption, UrlOption
from ewc_client.cli.output import Output, OutputOption, print_result, say
from ewc_client.cli.own_service import connected
from ewc_client.cli.spec_file import read_object, set_value
from ewc_client.cli.watch import report_end, watch_to_end
from ewc_client.job import Job
from ewc_client.result_tables import result_view
from ewc_client.terminal import print_json


def submit(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="job spec in JSON or YAML (`ewc spec` explains it), or - for standard input"),
    ],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="follow the job to its end; its result is the exit status")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="submit nothing: say what is wrong with the job, all of it, and what it would take")
    ] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change the spec, for example method.ewc_lambda=100")
    ] = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit a job. With --watch or --check and no service anywhere, one is started for as long as this command runs."""
    spec = read_object(file, what="job spec")
    for assignment in assignments or []:
        set_value(spec, assignment)
    if "search" in spec:
        raise typer.BadParameter("this is a sweep, not a job; `ewc sweep` takes it", param_hint="FILE")
    with connected(url, api_key, to_its_end=watch or check) as service:
        if check:
            _check(service.client.jobs.check(spec), output)
            return
        job = service.client.jobs.create(spec)
        if watch:
            watch_to_end(job, output=output, come_back=service.come_back("job", f"ewc watch {job.id}"))
        elif output is Output.JSON:
            print_json(job.raw)
        else:
            say(f"job {job.id} submitted. Follow it with:", f"  ewc watch {job.id}")


def _check(job: Job, output: Output) -> None:
    """Wait for the findings and print them; they are the exit status."""
    job = job.wait()
    if output is Output.JSON or job.status != "succeeded":
        report_end(job, output)
    else:
        print_result(result_view(job.result()))
    if job.status != "succeeded":
        raise typer.Exit(exit_codes.of_job(job.status))
    if not job.result().body["is_runnable"]:
        raise typer.Exit(exit_codes.REFUSED)
