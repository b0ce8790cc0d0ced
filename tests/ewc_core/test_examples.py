"""The examples are jobs that can be submitted as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ewc_core.specs import SupervisedSpec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} >= {"permuted_digits.json", "permuted_mnist.json"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_valid_closed_job_with_controls(path: Path) -> None:
    spec = SupervisedSpec.model_validate_json(path.read_bytes())
    assert spec.stream == "closed"
    assert spec.controls
    assert len(spec.tasks) == 5
