"""One poller per process tells every subscriber when its job has new events.

The database is asked once per tick for all jobs that somebody watches, however many watch. Subscribers keep their own
place (`seq`) and read from there, so a wake-up too many or too late can make neither a gap nor a duplicate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fastapi.concurrency import run_in_threadpool

from store.trouble import Trouble
from store.unit_of_work import Database

_log = logging.getLogger("api")


class Watch:
    """What is known of one watched job: the highest `seq` seen, and how many subscribers wait for a higher one."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.num_subscribers = 0
        self.changed = asyncio.Event()


class EventFeed:
    """Wakes the subscribers of jobs that have new events. To be used from one event loop."""

    def __init__(self, database: Database, *, poll_seconds: float = 0.2) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._watches: dict[str, Watch] = {}
        self._anyone_watches = asyncio.Event()
        self.closed = False

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Have the job watched while the context lasts."""
        watch = self._watches.setdefault(job_id, Watch())
        watch.num_subscribers += 1
        self._anyone_watches.set()
        try:
            yield watch
        finally:
            watch.num_subscribers -= 1
            if watch.num_subscribers == 0:
                del self._watches[job_id]
            if not self._watches:
                self._anyone_watches.clear()

    async def wait(self, watch: Watch, *, after: int, timeout_seconds: float) -> bool:
        """Wait until the job has an event after `after`. False when the time is up, or the feed was closed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while watch.last_seq <= after and not self.closed:
            try:
                await asyncio.wait_for(watch.changed.wait(), deadline - loop.time())
            except TimeoutError:
                return False
        return not self.closed

    async def run(self) -> None:
        """The poller; ends when it is cancelled."""
        trouble = Trouble(_log, "reads of new events")
        while True:
            await self._anyone_watches.wait()
            try:
                self._tell(await run_in_threadpool(self._read_last_seqs, list(self._watches)))
                trouble.is_over()
            except Exception as error:  # noqa: BLE001 the database may come back: subscribers go on waiting
                trouble.is_met(error)
            await asyncio.sleep(self._poll_seconds)

    def close(self) -> None:
        """End every stream. Call it in the event loop, before the server waits for its connections."""
        self.closed = True
        for watch in self._watches.values():
            _wake_subscribers(watch)

    def _read_last_seqs(self, job_ids: Sequence[str]) -> dict[str, int]:
        with self._database.read() as work:
            return work.events.last_seqs(job_ids)

    def _tell(self, last_seqs: Mapping[str, int]) -> None:
        for job_id, seq in last_seqs.items():
            watch = self._watches.get(job_id)
            if watch is not None and seq > watch.last_seq:
                watch.last_seq = seq
                _wake_subscribers(watch)


def _wake_subscribers(watch: Watch) -> None:
    """Those who wait now go on; whoever waits later waits for the next change."""
    watch.changed.set()
    watch.changed = asyncio.Event()
