"""The whole service on one machine, as supervised child processes under one state directory."""

from ewc_client.embedded.service import EmbeddedService
from ewc_client.embedded.state_directory import AlreadyRunningError, EmbeddedError

__all__ = ["AlreadyRunningError", "EmbeddedError", "EmbeddedService"]
