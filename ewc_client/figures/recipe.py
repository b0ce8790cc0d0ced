"""What a figure needs: one job spec per part and, for some, a question about each job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ewc_client.errors import FigureError
from ewc_client.models import Body


@dataclass(frozen=True)
class Recipe:
    """A figure of the paper: its title, the job spec of each part, and the question asked about every job (or None).

    `quick` is a look in minutes, with less training; a second line of the title says what is less.
    """

    figure: str
    title: str
    quick: bool
    parts: Mapping[str, Body]
    question: Body | None

    @property
    def stem(self) -> str:
        """The name of the figure's files, without suffix. A quick figure never overwrites a whole one."""
        return f"figure-{self.figure}" + ("-quick" if self.quick else "")

    def with_specs(self, specs: Mapping[str, Body]) -> Recipe:
        """The same figure with other specs for some parts.

        Raises:
            FigureError: no such part, or a spec of another kind of job.
        """
        for part, spec in specs.items():
            if part not in self.parts:
                raise FigureError(f"figure {self.figure} has no part {part!r}; its parts are {list(self.parts)}")
            kinds = [one.get("kind", "supervised") for one in (spec, self.parts[part])]
            if kinds[0] != kinds[1]:
                raise FigureError(f"part {part!r} of figure {self.figure} is a job of kind {kinds[1]!r}, not {kinds[0]!r}")
        return Recipe(self.figure, self.title, self.quick, {**self.parts, **specs}, self.question)

    def document(self) -> dict[str, Any]:
        """Everything, as JSON shows it."""
        return {
            "figure": self.figure,
            "title": self.title,
            "quick": self.quick,
            "parts": dict(self.parts),
            "question": self.question,
        }


def load_recipe(figure: str, *, quick: bool = False) -> Recipe:
    """The recipe of a figure, say "3a" or "s3", as it is installed."""
    document = _document(figure)
    if "same_jobs_as" in document:
        document = {**_document(document["same_jobs_as"]), **document}
    change = document["quick"] if quick else {}
    parts = {
        part: _merged(_merged(document["common"], spec), change.get("common", {}), change.get("parts", {}).get(part, {}))
        for part, spec in document["parts"].items()
    }
    question = document.get("question")
    if question is not None:
        question = _merged(question, change.get("question", {}))
    title = document["title"] + (f"\n{document['quick_note']}" if quick else "")
    return Recipe(figure, title, quick, parts, question)


def _document(figure: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((files("ewc_client.figures") / "specs" / f"{figure}.json").read_text(encoding="utf-8"))
    return document


def spec_sha256(spec: Body) -> str:
    """SHA-256, in hexadecimal, of what a job computes: the spec without its name and metadata, keys sorted."""
    computed = {name: value for name, value in spec.items() if name not in {"name", "metadata"}}
    return hashlib.sha256(json.dumps(computed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _merged(document: Body, *changes: Body) -> dict[str, Any]:
    """Later values win; objects are merged member by member, everything else is replaced."""
    merged = dict(document)
    for change in changes:
        for name, value in change.items():
            old = merged.get(name)
            merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
