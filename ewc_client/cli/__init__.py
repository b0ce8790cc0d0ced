"""The command `ewc`."""

from ewc_client.cli.commands import app, main

__all__ = ["app", "main"]
