"""Clients that two generators make from `openapi.json`, against the real API (docs/decisions/0021-clients.md)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from api.jobs.schemas import JOB_EXAMPLES
from api.openapi import FILE

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]
HERE = Path(__file__).parent
NUM_OPERATIONS = FILE.read_text(encoding="utf-8").count('"operationId"')


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """An environment of their own: one of the generators needs an older typer than the project."""
    path = tmp_path_factory.mktemp("generators") / "venv"
    _run(sys.executable, "-m", "venv", path)
    _run(path / "bin/pip", "install", "--quiet", "--requirement", HERE / "requirements.txt")
    return path / "bin"


def test_openapi_python_client_makes_every_operation_and_its_client_submits_and_lists(environment, tmp_path, service, client):
    made = tmp_path / "made"
    generate = ("generate", "--path", FILE, "--output-path", made, "--config", HERE / "generator_config.yml", "--meta", "none")
    said = _run(environment / "openapi-python-client", *generate, env={"PATH": f"{environment}:/usr/bin:/bin"})
    assert "WARNING" not in said
    made.rename(tmp_path / "attrs_client")
    operations = [file for file in (tmp_path / "attrs_client/api").glob("*/*.py") if file.name != "__init__.py"]
    assert len(operations) == NUM_OPERATIONS
    _submits_and_lists(environment, "with_openapi_python_client.py", tmp_path, service, client)


def test_openapi_generator_makes_every_operation_and_its_client_submits_and_lists(environment, tmp_path, service, client):
    package = ("--package-name", "pydantic_client")
    said = _run(environment / "openapi-generator-cli", "generate", "-i", FILE, "-g", "python", "-o", tmp_path, *package)
    assert "is incorrect" not in said
    sources = (tmp_path / "pydantic_client/api").glob("*_api.py")
    methods = sum(len(re.findall(r"def \w+_with_http_info\(", source.read_text(encoding="utf-8"))) for source in sources)
    assert methods == NUM_OPERATIONS
    _submits_and_lists(environment, "with_openapi_generator.py", tmp_path, service, client)


def _submits_and_lists(environment: Path, script: str, folder: Path, service, client) -> None:
    for example in ("permuted_digits", "association"):
        client.jobs.create(JOB_EXAMPLES[example]["value"])  # every kind of spec has to be read back
    printed = _run(environment / "python", HERE / script, service.url, service.key, env={"PYTHONPATH": str(folder)})
    read = json.loads(printed)
    assert read["permutation"] == 3
    assert read["listed"] == [job.id for job in client.jobs.list()]
    assert read["listed"][0] == read["id"]
    assert len(read["listed"]) == 3


def _run(*command: object, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
