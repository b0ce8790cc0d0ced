"""Announcing a task switch to a job."""

from __future__ import annotations

from sqlalchemy import insert, update

from ewc_core.errors import SequenceConflict, SpecError, StreamClosed
from store.ids import new_id
from store.job_states import FINISHED, JobStatus, allowed_from
from store.records import JobSummary, SwitchRecord
from store.repositories.jobs import Jobs
from store.repositories.switches import VISITING, Switches
from store.repositories.tasks import Tasks
from store.tables import JobRow, SwitchRow
from store.tables.tasks import SWITCH_ACTIONS


class Announcing(Switches):
    """Switches, with the announcement of another one, which numbers it in the job's row."""

    def append(
        self,
        job_id: str,
        *,
        action: str,
        task_index: int | None = None,
        origin: str,
        now: bool = False,
        expected_sequence: int | None = None,
    ) -> SwitchRecord:
        """Announce a switch.

        `append` and `revisit` name a task and get the next visit; `switch_now` and `close` have neither. `now` asks
        the running visit to end at once.

        Raises:
            NotFound: no such job, or no such task in it.
            SequenceConflict: `expected_sequence` is given and is not the next one.
            SpecError: an unknown action, or one with a task where none belongs, or without one where one does.
            StreamClosed: the job has finished, or its stream is closed to further tasks.
        """
        _require_fitting(action, task_index, now)
        job = Jobs(self._transaction).summary(job_id, lock=True)
        if expected_sequence is not None and expected_sequence != job.last_switch_sequence + 1:
            raise SequenceConflict(job_id, expected_sequence, job.last_switch_sequence + 1)
        if job.status in FINISHED or (job.stream == "closed" and action in VISITING):
            raise StreamClosed(job_id, job.status.value, _still_allowed(job))
        if task_index is not None:
            Tasks(self._transaction).get(job_id, task_index)
        sequence = job.last_switch_sequence + 1
        numbered = {"last_switch_sequence": sequence, "version": JobRow.version + 1}
        self._connection.execute(update(JobRow).where(JobRow.id == job_id).values(**numbered))
        self._connection.execute(
            insert(SwitchRow).values(
                id=new_id("sw"),
                job_id=job_id,
                sequence=sequence,
                action=action,
                task_index=task_index,
                visit_index=job.num_visits if action in VISITING else None,
                origin=origin,
                now=now,
                status="done" if action == "close" else "pending",
                created_at=self._now,
                finished_at=self._now if action == "close" else None,
            )
        )
        return self.get(job_id, sequence)


def _require_fitting(action: str, task_index: int | None, now: bool) -> None:
    if action not in SWITCH_ACTIONS:
        raise SpecError(f"action {action!r} is unknown; expected one of {', '.join(SWITCH_ACTIONS)}", field="action")
    if (task_index is not None) != (action in VISITING):
        expected = "the index of a task" if action in VISITING else "none"
        raise SpecError(f"action {action!r} has task_index {task_index}; expected {expected}", field="task_index")
    if now and action == "close":
        raise SpecError("now is true with action 'close'; closing a stream never ends the running visit", field="now")


def _still_allowed(job: JobSummary) -> list[str]:
    if job.status in FINISHED:
        return allowed_from(job.status)
    return ["switch_now", *allowed_from(JobStatus(job.status))]
