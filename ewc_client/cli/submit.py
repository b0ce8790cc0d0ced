"""Submitting a job, and following it."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.cli.connection import KeyOption, UrlOption
from ewc_client.cli.output import Output, OutputOption, say
from ewc_client.cli.spec_file import read_object, set_value
from ewc_client.cli.watch import watch_to_end
from ewc_client.client import EWCClient
from ewc_client.embedded import EmbeddedService
from ewc_client.errors import ConfigurationError
from ewc_client.jobs import Job
from ewc_client.service_location import find_service, state_dir
from ewc_client.terminal import print_json


def submit(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="job spec in JSON or YAML (`ewc spec` explains it), or - for standard input"),
    ],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="follow the job to its end; its result is the exit status")
    ] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change the spec, for example method.ewc_lambda=100")
    ] = None,
    url: UrlOption = None,
    api_key: KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit a job. With --watch and no service anywhere, one is started for as long as this command runs."""
    spec = read_object(file, what="job spec")
    for assignment in assignments or []:
        set_value(spec, assignment)
    location = find_service(url, api_key)
    if location is not None:
        with EWCClient.at(location) as client:
            job = client.jobs.create(spec)
            _after_submission(job, watch=watch, output=output)
        return
    if not watch:
        raise ConfigurationError(
            f"no service: none is configured (--url, EWC_URL) and none runs on {state_dir()}. "
            "Start one with `ewc up`, or add --watch to start one for as long as this command runs"
        )
    _with_own_service(spec, output)


def _after_submission(job: Job, *, watch: bool, output: Output) -> None:
    if watch:
        watch_to_end(job, output=output, come_back=("The job goes on. Come back with:", f"  ewc watch {job.id}"))
    elif output is Output.JSON:
        print_json(job.raw)
    else:
        say(f"job {job.id} submitted. Follow it with:", f"  ewc watch {job.id}")


def _with_own_service(spec: dict[str, object], output: Output) -> None:
    directory = state_dir()
    say(f"no service is configured: starting one on {directory} for as long as this command runs")
    with EmbeddedService(directory, say=say) as service, EWCClient.at(service.location) as client:
        job = client.jobs.create(spec)
        watch_to_end(
            job,
            output=output,
            come_back=(
                "The service that this command started stops now; the job keeps its place. Go on with:",
                "  ewc up",
                f"  ewc watch {job.id}",
            ),
        )
