"""`python -m api`: the HTTP service, configured by EWC_ variables."""

from __future__ import annotations

import logging
import sys

from pydantic import ValidationError

from api.app import create_app
from api.readiness import require_schema
from api.server import Server
from api.settings import ApiSettings
from ewc_core.errors import StoreUnavailable
from store.unit_of_work import Database


def main() -> int:
    """Run until a signal. Returns 1, with one line on standard error, when the service cannot start."""
    try:
        settings = ApiSettings()
        _check(settings)
    except (ValidationError, StoreUnavailable) as error:
        sys.stderr.write(f"the API cannot start: {error}\n")
        return 1
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("api").info("listening on http://%s:%d", settings.api_host, settings.api_port)
    server = Server(create_app(settings), host=settings.api_host, port=settings.api_port)
    server.run()
    return 0 if server.started else 1


def _check(settings: ApiSettings) -> None:
    """Checked here as well as at the app's start, which could only tell of it in a traceback."""
    database = Database(settings.database_url)
    try:
        require_schema(database)
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main())
