"""The client without the service: built from `client/`, on a Python that has what it depends on and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from ewc_client.version import VERSION

REPOSITORY = Path(__file__).parents[2]


def project(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return read


def needed(names: list[str]) -> set[str]:
    """These distributions and all that they need here, extras left out."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            requirements = map(Requirement, distribution(name).requires or [])
            names += [need.name for need in requirements if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def bin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the client's wheel, and links to what it needs."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"
    shutil.copytree(REPOSITORY / "client", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("ewc_client-*.whl")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    target = ["--python", folder / "venv/bin/python"]
    subprocess.run([sys.executable, "-m", "pip", *target, "install", *options, wheel], check=True)
    for name in needed(project(REPOSITORY / "client")["dependencies"]):
        for file in distribution(name).files or []:
            top = Path(file.parts[0])
            if top.name not in {"..", "__pycache__"} and not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    return folder / "venv/bin"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EWC_", "PYTHON"))}
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, cwd="/")


def test_the_client_alone_says_its_version(bin_dir: Path) -> None:
    assert run(bin_dir / "ewc", "--version").stdout == f"ewc {VERSION}\n"


def test_every_module_of_the_client_alone_can_be_imported_but_those_that_draw(bin_dir: Path) -> None:
    code = """
import importlib, pkgutil, sys, ewc_client
lacking = {}
for module in pkgutil.walk_packages(ewc_client.__path__, "ewc_client."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        lacking[module.name] = error.name
print(lacking, sorted({"torch", "celery", "numpy", "sqlalchemy", "api", "store", "worker"} & sys.modules.keys()))
"""
    assert run(bin_dir / "python", "-c", code).stdout == "{'ewc_client.figures.canvas': 'matplotlib'} []\n"


def test_the_client_alone_says_that_it_can_start_no_service(bin_dir: Path, tmp_path: Path) -> None:
    ended = run("env", f"EWC_STATE_DIR={tmp_path / 'state'}", bin_dir / "ewc", "up")
    assert ended.returncode == 4
    assert "only the client is installed here" in ended.stderr
    assert not (tmp_path / "state").exists()


def test_the_client_alone_says_that_it_cannot_draw_before_it_asks_for_jobs(bin_dir: Path) -> None:
    ended = run(bin_dir / "ewc", "figure", "3a", "--quick", "--url", "http://127.0.0.1:9", "--api-key", "none")
    assert (ended.returncode, "pip install matplotlib" in ended.stderr) == (4, True)


def test_the_service_needs_whatever_its_client_needs() -> None:
    client, service = project(REPOSITORY / "client"), project(REPOSITORY)
    assert {*client["dependencies"], *client["optional-dependencies"]["figures"]} <= set(service["dependencies"])
    assert client["scripts"] == service["scripts"]
