"""`python -m migrations upgrade|downgrade|current`: works on the database that `EWC_DATABASE_URL` names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.engine import make_url

from ewc_core.errors import StoreUnavailable
from migrations import run
from store.settings import StoreSettings, refused_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        url = options.database_url or StoreSettings().database_url
        if options.command == "upgrade":
            revision = run.upgrade(url, options.revision)
        elif options.command == "downgrade":
            revision = run.downgrade(url, options.revision)
        else:
            revision = run.current(url)
    except ValidationError as error:
        return _refuse(refused_settings(error))
    except StoreUnavailable as error:
        return _refuse(f"{error} (EWC_DATABASE_URL says where it is)")
    shown = make_url(url).render_as_string(hide_password=True)
    sys.stdout.write(f"{shown} is at revision {revision or 'none'}\n")
    return 0


def _refuse(why: str) -> int:
    sys.stderr.write(f"{' '.join(why.split())}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m migrations", description="Move the database from revision to revision.")
    parser.add_argument("--database-url", help="instead of EWC_DATABASE_URL")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upgrade", help="to the newest revision, or to the one given").add_argument(
        "revision", nargs="?", default="head"
    )
    commands.add_parser("downgrade", help="to an empty database, or to the revision given").add_argument(
        "revision", nargs="?", default="base"
    )
    commands.add_parser("current", help="say which revision the database is at")
    return parser


if __name__ == "__main__":
    sys.exit(main())
