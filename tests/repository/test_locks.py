"""The locks have every dependency, in the version of `constraints.txt`, with hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")


def pins(text: str) -> dict[str, str]:
    """Version by name."""
    return {canonicalize_name(found.group(1)): found.group(2) for line in text.splitlines() if (found := _PIN.match(line))}


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_a_lock_pins_all_dependencies_as_the_constraints_do(name: str) -> None:
    locked = pins((REPOSITORY / f"locks/{name}.txt").read_text())
    constraints = pins((REPOSITORY / "constraints.txt").read_text())
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {canonicalize_name(Requirement(text).name) for text in wanted} <= locked.keys()
    both = locked.keys() & constraints.keys()
    assert {each: locked[each].removesuffix("+cpu") for each in both} == {each: constraints[each] for each in both}


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_every_line_of_a_lock_is_a_pin_with_its_hashes(name: str) -> None:
    entries = (REPOSITORY / f"locks/{name}.txt").read_text().replace("\\\n", "").strip().splitlines()
    assert [entry for entry in entries if not re.fullmatch(r"\S+==\S+( +--hash=sha256:[0-9a-f]{64})+", entry)] == []


def test_only_the_lock_for_gpus_brings_what_they_need() -> None:
    cpu, cuda = (pins((REPOSITORY / f"locks/{name}.txt").read_text()) for name in ("cpu", "cuda"))
    assert (cpu["torch"], cuda["torch"]) == ("2.13.0+cpu", "2.13.0")
    assert all(each.startswith(("nvidia-", "cuda-")) or each == "triton" for each in cuda.keys() - cpu.keys())
    assert cuda.keys() > cpu.keys()
