"""Whoever makes an exception from a rule of a tool says why, on the same line."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("api", "benchmarks", "ewc_client", "ewc_core", "examples", "migrations", "store", "tests", "worker")
WITHOUT_REASON = re.compile(r"#\s*(?:type: ignore(?:\[[\w, -]+\])?|noqa(?:: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)?)\s*$", re.MULTILINE)


def test_every_exception_from_a_rule_gives_its_reason() -> None:
    files = [file for folder in FOLDERS for file in (REPOSITORY / folder).rglob("*.py")]
    found = {str(file.relative_to(REPOSITORY)): WITHOUT_REASON.findall(file.read_text(encoding="utf-8")) for file in files}
    assert len(files) > 500
    assert {name: exceptions for name, exceptions in found.items() if exceptions} == {}
