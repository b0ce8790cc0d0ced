"""The socket on which an embedded service listens: taken once, by the process that starts the API, and handed to it.

A port that is only looked at can be taken by somebody else before the API binds it; the client would then talk to a
stranger's service.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from ewc_client.embedded.state_directory import EmbeddedError

DEFAULT_PORT = 8000
_BACKLOG = 128


def take_port(host: str, asked: int | None, *, say: Callable[[str], None]) -> socket.socket:
    """A listening socket on the port asked for; or on the default one, or on any when that is taken (or 0 was asked for).

    Raises:
        EmbeddedError: the port asked for is taken or not allowed, or the host is not an address of this machine.
    """
    if asked:
        try:
            return _listening(host, asked)
        except (OSError, UnicodeError) as error:
            if not isinstance(error, OSError) or error.errno != errno.EADDRINUSE:
                raise EmbeddedError(f"port {asked} of {host} cannot be listened on: {error}") from error
            raise EmbeddedError(f"port {asked} on {host} is taken; choose another with --port, or leave it out") from error
    if asked is None:
        try:
            return _listening(host, DEFAULT_PORT)
        except (OSError, UnicodeError):  # on a host that is not ours, looking for any port says so
            found = _any_port(host)
            say(f"port {DEFAULT_PORT} is taken; using {found.getsockname()[1]}")
            return found
    return _any_port(host)


def _any_port(host: str) -> socket.socket:
    try:
        return _listening(host, 0)
    except (OSError, UnicodeError) as error:
        raise EmbeddedError(f"{host!r} (EWC_API_HOST) cannot be listened on: {error}") from error


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError):  # a name that is none
        listener.close()
        raise
    return listener
