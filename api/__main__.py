"""`python -m api`: the HTTP service, configured by EWC_ variables."""

from __future__ import annotations

import argparse
import logging
import socket
import sys

from pydantic import ValidationError

from api.app import create_app, prepare
from api.readiness import SchemaMismatch
from api.server import Server, raise_descriptor_limit
from api.settings import ApiSettings
from ewc_core.errors import StoreDamaged, StoreUnavailable
from store.log_lines import log_to_stderr
from store.settings import refused_settings
from store.termination import heed_sigterm
from store.unit_of_work import Database


def main() -> int:
    """Run until a signal. Returns 1, with one line on standard error, when the service cannot start."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument(
        "--socket",
        type=int,
        metavar="FD",
        help="an inherited file descriptor that listens already, instead of EWC_API_HOST and EWC_API_PORT",
    )
    arguments = parser.parse_args()
    heed_sigterm()
    try:
        settings = ApiSettings()
        _check(settings)
        listener = _listen(settings) if arguments.socket is None else socket.socket(fileno=arguments.socket)
    except ValidationError as error:
        return _refuse(refused_settings(error))
    except (SchemaMismatch, OSError) as error:
        return _refuse(str(error))
    except StoreDamaged as error:
        return _refuse(f"{error}; restore it from a backup (EWC_DATABASE_URL says where it is)")
    except StoreUnavailable as error:
        return _refuse(f"{error} (EWC_DATABASE_URL says where it is; python -m migrations upgrade makes it)")
    log_to_stderr()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # The filesystem broker has no host, and kombu warns about that.
    logging.getLogger("kombu.connection").setLevel(logging.ERROR)
    raise_descriptor_limit()
    server = Server(create_app(settings), host=settings.api_host, port=settings.api_port)
    server.run([listener])
    return 0 if server.started else 1


def _refuse(why: str) -> int:
    sys.stderr.write(f"the API cannot start: {' '.join(why.split())}\n")
    return 1


def _check(settings: ApiSettings) -> None:
    """Checked here as well as at the app's start, which could only tell of it in a traceback."""
    database = Database(settings.database_url)
    try:
        prepare(database, settings)
    finally:
        database.close()


def _listen(settings: ApiSettings) -> socket.socket:
    host, port = settings.api_host, settings.api_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no name"
        raise OSError(f"EWC_API_HOST {host!r}, EWC_API_PORT {port} cannot be listened on: {why}; choose another") from error


if __name__ == "__main__":
    sys.exit(main())
