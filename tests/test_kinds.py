"""A kind of job is one entry in the registry: nobody outside `ewc_core` asks which kind a job, a task, a question or a run is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from ewc_core import specs
from ewc_core.specs import JOB_KINDS, JobKind
from ewc_core.specs.any_task import AnyTaskSpec

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("api", "store", "worker", "ewc_client") for path in (ROOT / package).rglob("*.py"))
PROTOCOLS = {"AnalysisQuestion", "AnyTaskSpec", "EnvironmentSpec", "JobSpec", "LearningSpec", "TaskSpec"}
RUNS = {"GameProblem", "SupervisedProblem", "UnitRun", "VisitRun"}


def _members(annotation: object) -> Iterator[str]:
    """The classes of a discriminated union."""
    for part in get_args(annotation):
        if isinstance(part, type):
            yield part.__name__
        yield from _members(part)


KINDS = {kind.__name__ for kind in JOB_KINDS.values()} | set(_members(AnyTaskSpec)) | set(_members(specs.AnalysisQuestion))


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} | {
        part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)
    }


def _questions(tree: ast.Module) -> Iterator[tuple[int, set[str]]]:
    """Line and classes of every `isinstance`, `issubclass` and class pattern; line and kinds in every comparison, and in every
    literal type that lists them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            yield node.lineno, _names(node.args[1])
        elif isinstance(node, ast.MatchClass):
            yield node.lineno, _names(node.cls)
        elif isinstance(node, ast.Compare) or (isinstance(node, ast.Subscript) and _names(node.value) == {"Literal"}):
            texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
            found = texts & set(JOB_KINDS)
            yield node.lineno, found if isinstance(node, ast.Compare) or len(found) > 1 else set()


def test_nobody_asks_which_kind_it_is() -> None:
    asked = {}
    for path in SOURCES:
        for line, found in _questions(ast.parse(path.read_text())):
            if found & (KINDS | PROTOCOLS | RUNS | set(JOB_KINDS)):
                asked[f"{path.relative_to(ROOT)}:{line}"] = found
    assert asked == {}


def test_the_questions_looked_for_are_found() -> None:
    text = "isinstance(spec, SupervisedSpec)\nmatch task:\n    case AtariTask():\n        pass\njob.kind in ('analysis', x)\n"
    assert [found for _, found in sorted(_questions(ast.parse(text)), key=lambda pair: pair[0])] == [
        {"SupervisedSpec"},
        {"AtariTask"},
        {"analysis"},
    ]
    assert {"SupervisedSpec", "AtariTask", "PermutedTask", "OverlapAnalysis"} <= KINDS


@pytest.mark.parametrize("name", JOB_KINDS)
def test_every_kind_names_an_implementation_that_is_there(name: str) -> None:
    from importlib import import_module

    kind: type[JobKind] = JOB_KINDS[name]
    module, _, function = kind.run.partition(":")
    assert callable(getattr(import_module(module), function))
