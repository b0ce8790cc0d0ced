"""`docs/problems.md`, written from the one table: `python -m api.problem_pages`. A test compares."""

from __future__ import annotations

from pathlib import Path

from api.problems import BY_CODE

FILE = Path(__file__).resolve().parents[1] / "docs" / "problems.md"
_HEAD = """# Problems

Every error of the HTTP service is an RFC 9457 document (`application/problem+json`) with these members: `type` (the path
of its page here, which the service also answers: `GET /problems/{code}`), `title`, `status`, `detail` (what was wrong this
time), `instance` (the path of the request), `code` (stable, for programs), `request_id` (also in the header X-Request-ID
and in the service's log) and `errors`, a list of refused values with `pointer` or `parameter`, `code` and `detail`.

| code | status | title |
|---|---|---|
"""


def text() -> str:
    """The page."""
    problems = sorted(BY_CODE.values(), key=lambda problem: (problem.status, problem.code))
    rows = [f"| [`{problem.code}`](#{problem.code}) | {problem.status} | {problem.title} |\n" for problem in problems]
    sections = [f"\n## {problem.code}\n\n{problem.title}, HTTP {problem.status}. {problem.explanation}\n" for problem in problems]
    return _HEAD + "".join(rows) + "".join(sections)


def main() -> None:
    """Write the page."""
    FILE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
