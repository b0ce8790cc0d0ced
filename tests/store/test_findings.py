"""What the record can be asked about a job beside its scores: warnings, analyses, the constraint of a task."""

from __future__ import annotations

import pytest

from ewc_core.errors import InvalidCursor
from ewc_core.specs import AnalysisSpec
from store.records import JobRecord
from store.unit_of_work import Database
from tests.store.conftest import OWNER, make_job


def ask(database: Database, about: str, *, owner: str = OWNER) -> JobRecord:
    spec = AnalysisSpec.model_validate({"kind": "analysis", "job_id": about, "question": {"kind": "capacity"}})
    with database.write() as work:
        return work.jobs.create(spec, owner=owner)


def test_analyses_of_a_job_are_paged_newest_first_and_no_others(database, job):
    other = make_job(database)
    ids = [ask(database, job.id).id for _ in range(3)]
    ask(database, other.id)
    ask(database, job.id, owner="bob")
    with database.read() as work:
        page = work.jobs.list_analyses(job, limit=2)
        assert ([one.id for one in page.items], page.has_more) == (ids[:0:-1], True)
        rest = work.jobs.list_analyses(job, limit=2, after=ids[1])
        assert ([one.id for one in rest.items], rest.has_more) == (ids[:1], False)
        assert work.jobs.list_analyses(work.jobs.get(ids[0]), limit=2).items == []
        with pytest.raises(InvalidCursor, match="nonsense"):
            work.jobs.list_analyses(job, limit=2, after="nonsense")


def test_the_latest_warning_of_each_code_is_found(database, job):
    other = make_job(database)
    with database.write() as work:
        for number, (about, kind, code) in enumerate(
            [
                (job.id, "job.warning", "a"),
                (job.id, "job.warning", "b"),
                (job.id, "job.warning", "a"),
                (job.id, "test", "c"),
                (other.id, "job.warning", "d"),
            ]
        ):
            work.events.append(about, type=kind, message=str(number), data={"code": code}, level="warn")
    with database.read() as work:
        assert [(event.message, event.data["code"]) for event in work.events.warnings(job.id)] == [("1", "b"), ("2", "a")]
        assert [event.message for event in work.events.warnings(other.id)] == ["4"]


def test_a_task_without_a_constraint_has_none(database, job):
    with database.read() as work:
        assert work.constraints.find(job.id, 0) is None
