"""One poller per process tells every subscriber when its job has new events.

The database is asked once per tick for all jobs that somebody watches, however many watch. Subscribers keep their own
place (`seq`) and read from there, so a wake-up too many or too late can make neither a gap nor a duplicate.

Now and then it also asks, once for all streams, whether the keys that opened them still may read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fastapi.concurrency import run_in_threadpool

from api.caller import Caller, Scope
from api.errors import ScopeMissing, Unauthorized
from store.trouble import Trouble
from store.unit_of_work import Database

_log = logging.getLogger("api")
SECONDS_BETWEEN_KEY_CHECKS = 30.0
"""A stream ends within a minute of its key's end; a poll that fails meanwhile is made up for by the next one."""


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
        self._num_streams: Counter[str] = Counter()
        """How many streams each key has open."""
        self._refusals: dict[str, Unauthorized | ScopeMissing] = {}
        self._anyone_watches = asyncio.Event()
        self.closed = False

    @contextmanager
    def watch(self, job_id: str, caller: Caller) -> Iterator[Watch]:
        """Have the job watched for the caller while the context lasts."""
        self._num_streams[caller.key_id] += 1
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
            self._num_streams[caller.key_id] -= 1
            if self._num_streams[caller.key_id] == 0:
                del self._num_streams[caller.key_id]
                self._refusals.pop(caller.key_id, None)

    def refusal(self, caller: Caller) -> Unauthorized | ScopeMissing | None:
        """Why the caller, who was let in once, may read no longer; None while it may."""
        return self._refusals.get(caller.key_id)

    async def wait(self, watch: Watch, caller: Caller, *, after: int, timeout_seconds: float) -> bool:
        """Wait until the job has an event after `after`, or the caller is refused. False when the time is up, or the feed
        was closed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while watch.last_seq <= after and not self.closed and self.refusal(caller) is None:
            try:
                await asyncio.wait_for(watch.changed.wait(), deadline - loop.time())
            except TimeoutError:
                return False
        return not self.closed

    async def run(self) -> None:
        """The poller; ends when it is cancelled."""
        trouble = Trouble(_log, "reads of new events")
        loop = asyncio.get_running_loop()
        keys_checked_at = loop.time()
        while True:
            await self._anyone_watches.wait()
            try:
                if loop.time() - keys_checked_at >= SECONDS_BETWEEN_KEY_CHECKS:
                    keys_checked_at = loop.time()
                    self._refuse(await run_in_threadpool(self._read_refusals, list(self._num_streams)))
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

    def _read_refusals(self, key_ids: Sequence[str]) -> dict[str, Unauthorized | ScopeMissing]:
        with self._database.read() as work:
            living = work.api_keys.living(key_ids)
        refusals: dict[str, Unauthorized | ScopeMissing] = {
            key_id: Unauthorized(f"the API key {key_id} was revoked") for key_id in key_ids if key_id not in living
        }
        for key_id, scopes in living.items():
            if Scope.JOBS_READ not in scopes:
                refusals[key_id] = ScopeMissing(Scope.JOBS_READ)
        return refusals

    def _refuse(self, refusals: Mapping[str, Unauthorized | ScopeMissing]) -> None:
        self._refusals.update({key_id: why for key_id, why in refusals.items() if key_id in self._num_streams})
        if refusals:
            for watch in self._watches.values():
                _wake_subscribers(watch)

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
