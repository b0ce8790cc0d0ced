"""The service that a command talks to: the one that is configured, or one of its own for as long as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ewc_client.cli.output import say
from ewc_client.client import EWCClient
from ewc_client.embedded import EmbeddedService
from ewc_client.errors import ConfigurationError
from ewc_client.service_location import find_service, state_dir


@dataclass(frozen=True)
class Connected:
    """A client of a service; `is_own`: the service ends with the command."""

    client: EWCClient
    is_own: bool

    def come_back(self, what: str, command: str) -> tuple[str, ...]:
        """What to say to somebody who detaches from a job or a sweep: how to come back to it."""
        if self.is_own:
            stops = f"The service that this command started stops now; the {what} keeps its place. Go on with:"
            return stops, "  ewc up", f"  {command}"
        return f"The {what} goes on. Come back with:", f"  {command}"


@contextmanager
def connected(url: str | None, api_key: str | None, *, to_its_end: bool = True) -> Iterator[Connected]:
    """The configured service, or one of this command's own, if it stays `to_its_end`.

    Raises:
        ConfigurationError: there is no service, and one that ended at once would not learn anything.
    """
    location = find_service(url, api_key)
    if location is not None:
        with EWCClient.at(location) as client:
            yield Connected(client, is_own=False)
        return
    directory = state_dir()
    if not to_its_end:
        raise ConfigurationError(
            f"no service: none is configured (--url, EWC_URL) and none runs on {directory}.\n"
            "  Start one with `ewc up`, or add --watch to start one for as long as this command runs"
        )
    say(f"no service is configured: starting one on {directory} for as long as this command runs")
    with EmbeddedService(directory, say=say) as service, EWCClient.at(service.location) as client:
        yield Connected(client, is_own=True)
