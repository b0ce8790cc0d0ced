"""`python -m api`: the HTTP service, configured by EWC_ variables."""

from __future__ import annotations

import argparse
import logging
import socket
import sys

from pydantic import ValidationError

from api.app import create_app
from api.readiness import SchemaMismatch, require_schema
from api.server import Server
from api.settings import ApiSettings
from ewc_core.errors import StoreUnavailable
from store.log_lines import log_to_stderr
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
    try:
        settings = ApiSettings()
        _check(settings)
    except SchemaMismatch as error:
        return _refuse(str(error))
    except StoreUnavailable as error:
        return _refuse(f"{error} (EWC_DATABASE_URL says where it is; python -m migrations upgrade makes it)")
    except ValidationError as error:
        return _refuse(str(error))
    log_to_stderr()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # The filesystem broker has no host, and kombu warns about that.
    logging.getLogger("kombu.connection").setLevel(logging.ERROR)
    server = Server(create_app(settings), host=settings.api_host, port=settings.api_port)
    server.run(None if arguments.socket is None else [socket.socket(fileno=arguments.socket)])
    return 0 if server.started else 1


def _refuse(why: str) -> int:
    sys.stderr.write(f"the API cannot start: {why}\n")
    return 1


def _check(settings: ApiSettings) -> None:
    """Checked here as well as at the app's start, which could only tell of it in a traceback."""
    database = Database(settings.database_url)
    try:
        require_schema(database)
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main())
