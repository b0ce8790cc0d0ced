"""A thread that reaps: the API too returns jobs of silent workers to the queue, so that any live process is enough."""

from __future__ import annotations

import logging
import threading

from api.services import Services
from store.reaper import reap
from store.trouble import Trouble

_log = logging.getLogger("api")


class Reaper:
    """Calls `store.reaper.reap` every `reap_seconds` until it is stopped."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)

    def start(self) -> None:
        """Start reaping."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for a pass in progress."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        services = self._services
        trouble = Trouble(_log, "passes of the reaper")
        while not self._stop.wait(services.settings.reap_seconds):
            try:
                reap(services.database, services.wake_ups, settings=services.settings)
                trouble.is_over()
            except Exception as error:  # noqa: BLE001 database or broker may come back; the reaper must still be there then
                trouble.is_met(error)
