"""How often progress becomes an event: at most a hundred per visit, or one every ten seconds. A job may run for weeks."""

from __future__ import annotations

import time

_EVENTS_PER_VISIT = 100
_EVENT_SECONDS = 10.0


class Announcements:
    """Remembers the progress that was last announced."""

    def __init__(self) -> None:
        self._visit_index, self._step, self._at = -1, 0, 0.0

    def is_due(self, visit_index: int, step: int, num_steps: int) -> bool:
        """Whether step `step` of a visit is worth an event; if so it counts as announced."""
        now = time.monotonic()
        is_new = visit_index != self._visit_index or step - self._step >= num_steps / _EVENTS_PER_VISIT
        if is_new or now - self._at >= _EVENT_SECONDS:
            self._visit_index, self._step, self._at = visit_index, step, now
            return True
        return False
