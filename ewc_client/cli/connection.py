"""Options and opening moves that every command shares."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.client import EWCClient
from ewc_client.errors import EWCClientError
from ewc_client.service_location import require_service
from ewc_client.transport import RetryPolicy

UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="service to ask [else EWC_URL, else the one that `ewc up` runs here]", show_default=False),
]
KeyOption = Annotated[
    str | None, typer.Option("--api-key", help="key for it [else EWC_API_KEY, else the key of `ewc up`]", show_default=False)
]


def complete_job_id(incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs, for the shell's completion: at once, or not at all."""
    try:
        with EWCClient(timeout_seconds=2.0, retries=RetryPolicy(num_retries=0)) as client:
            jobs = client.jobs.page(limit=100)
    except EWCClientError:
        return []
    return [(job.id, job.status) for job in jobs if job.id.startswith(incomplete)]


JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="job id", autocompletion=complete_job_id)]


def connect(url: str | None, api_key: str | None) -> EWCClient:
    """A client for the service that the options, the environment or the state directory name."""
    return EWCClient.at(require_service(url, api_key))
