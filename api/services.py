"""What the routes work with, made once per app."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.events.feed import EventFeed
from api.settings import ApiSettings
from ewc_core.errors import StoreUnavailable
from store.queue import WakeUps
from store.unit_of_work import Database

_log = logging.getLogger("api")


@dataclass(frozen=True)
class Services:
    """The database, the queue, and the feed of new events."""

    settings: ApiSettings
    database: Database
    wake_ups: WakeUps
    events: EventFeed

    def wake(self, job_id: str) -> None:
        """Tell the workers that a job is queued. The job is committed already: a failure delays it until the reaper comes."""
        try:
            self.wake_ups.publish()
        except StoreUnavailable as error:
            _log.warning("job %s is queued, and the reaper will wake it: %s", job_id, error)
            return
        with self.database.write() as work:
            work.queue.mark_woken([job_id])


def services_of(request: Request) -> Services:
    """The services of the app that answers this request."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    """As `services_of`: an ordinary function would be sent to the thread pool, which takes longer than it does."""
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]
