"""How `ewc show` prints a job."""

from __future__ import annotations

from ewc_client.cli.output import print_fields, print_result
from ewc_client.job import Job
from ewc_client.terminal import Text


def print_job(job: Job) -> None:
    """What the job is, where it stands, and what its owner should know."""
    print_fields(
        [
            ("job", job.id),
            ("name", job.name),
            ("kind", None if job.has_tasks else job.kind),
            ("status", _status(job)),
            ("waiting for", job.waiting_for),
            ("priority", str(job.priority) if job.priority else None),
            ("error", failure_text(job)),
            ("progress", progress_text(job)),
            ("stream", job.stream if job.has_tasks else None),
            ("method", _method(job)),
            ("question", _question(job)),
            ("rules", ", ".join(_with_options(rule) for rule in job.spec.get("rules", []))),
            ("weights", f"sha256 {job.weights_sha256}" if job.weights_sha256 else None),
            ("created", job.created_at),
        ]
    )
    for warning in job.warnings:
        print_result(Text(f"warning: {warning.message} ({warning.code})", style="yellow"))


def failure_text(job: Job) -> str | None:
    """Why the job failed, and where in its spec the reason lies; None for one that did not."""
    if not job.error:
        return None
    where = f"{job.error['field']}: " if job.error.get("field") else ""
    return f"{where}{job.error.get('message')} ({job.error.get('code')})"


def progress_text(job: Job) -> str:
    """How far the job is, in a few words."""
    at = job.progress
    if at.visit_index is None:
        if at.num_steps and not job.is_finished:
            return f"unit {at.step}/{at.num_steps}"
        to_come = "1 visit to come" if at.num_visits == 1 else f"{at.num_visits} visits to come"
        return to_come if at.num_visits and not job.is_finished else ""
    visit = f"visit {at.visit_index} ({at.visit_index + 1}/{at.num_visits})"
    return f"{visit}, step {at.step}/{at.num_steps}" if at.num_steps and not job.is_finished else visit


def _status(job: Job) -> str:
    reason = job.status_reason
    return f"{job.status} ({reason})" if reason and reason != job.status else job.status


def _method(job: Job) -> str:
    if not job.has_tasks:
        return ""
    controls = " and ".join(job.spec.get("controls", []))
    return _with_options(job.spec["method"]) + (f", beside {controls}" if controls else "")


def _question(job: Job) -> str:
    question = job.spec.get("question")
    return "" if question is None else f"{_with_options(question)} of {job.spec['job_id']}"


def _with_options(kind: dict[str, object]) -> str:
    options = ", ".join(f"{name} {_option(value)}" for name, value in kind.items() if name != "kind" and value is not None)
    return str(kind.get("kind", "")) + (f" ({options})" if options else "")


def _option(value: object) -> str:
    if isinstance(value, dict):
        return _with_options(value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
