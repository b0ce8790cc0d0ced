"""Options and opening moves that every command shares."""

from __future__ import annotations

from typing import Annotated

import typer

from ewc_client.client import EWCClient
from ewc_client.service_location import require_service

UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="service to ask [else EWC_URL, else the one that `ewc up` runs here]", show_default=False),
]
KeyOption = Annotated[
    str | None, typer.Option("--api-key", help="key for it [else EWC_API_KEY, else the key of `ewc up`]", show_default=False)
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="job id")]


def connect(url: str | None, api_key: str | None) -> EWCClient:
    """A client for the service that the options, the environment or the state directory name."""
    return EWCClient.at(require_service(url, api_key))
