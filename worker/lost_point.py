"""A job that goes on without its resume point, because that is damaged: what is lost is made again, and this is said."""

from __future__ import annotations

from store.records import Fence, ResumePointRecord
from store.unit_of_work import Database

CODE = "resume_point_damaged"


def note_lost_point(database: Database, fence: Fence, lost: ResumePointRecord, *, has_tasks: bool) -> None:
    """Drop the damaged point and warn the job's owner, in one transaction: whoever takes the job up next says nothing again.

    Raises:
        Fenced: another worker holds the job.
    """
    place = f"step {lost.step}" + (f" of visit {lost.visit_index}" if has_tasks else "")
    before = (
        f"from the snapshot of visit {lost.visit_index - 1}"
        if lost.visit_index > 0
        else "from the beginning, since nothing was finished before it"
    )
    with database.fenced(fence) as work:
        work.resume_points.drop(fence.job_id)
        work.events.append(
            fence.job_id,
            type="job.warning",
            level="warn",
            message=f"the resume point at {place} is damaged: the job went on {before}, and the steps up to there are repeated",
            data={"code": CODE, "visit_index": lost.visit_index if has_tasks else None, "step": lost.step},
        )
