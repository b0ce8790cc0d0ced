"""What documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_NAMED = re.compile(r"`((?:api|docs|ewc_client|ewc_core|migrations|store|tests|worker|locks|examples)/[\w./-]*)`")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_every_path_that_a_document_names_is_there(name: str) -> None:
    named = set(_NAMED.findall((REPOSITORY / name).read_text()))
    assert named, "nothing is named"
    assert {path for path in named if not (REPOSITORY / path).exists()} == set()


def test_the_architecture_names_the_packages_of_the_core() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text()
    packages = {folder.parent.name for folder in (REPOSITORY / "ewc_core").glob("*/__init__.py")}
    assert {name for name in packages if f"ewc_core/{name}/" not in text} == {"capacity", "metrics", "scoring", "sweep"}
