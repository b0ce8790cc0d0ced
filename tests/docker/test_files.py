"""What can be said of the container files without a container engine.

Compose is read by a small parser for the part of YAML that it uses: nested maps by indentation, and lists of scalars.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCKER = Path(__file__).parents[2] / "docker"
REPOSITORY = DOCKER.parent


def read_maps(text: str) -> dict[str, Any]:
    """Nested maps by two spaces of indentation; list items and values stay text.

    Raises:
        ValueError: a line is indented by an odd number of spaces, too far, or with a tab.
    """
    root: dict[str, Any] = {}
    open_maps: list[dict[str, Any]] = [root]
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if "\t" in line or indent % 2:
            raise ValueError(f"line {number}: {line!r} is indented by {indent} spaces or a tab")
        if stripped.startswith("- "):
            continue
        key, colon, value = stripped.partition(":")
        if not colon or indent // 2 >= len(open_maps):
            raise ValueError(f"line {number}: {line!r} is not `key: value` at a depth that is open")
        del open_maps[indent // 2 + 1 :]
        if key in open_maps[-1]:
            raise ValueError(f"line {number}: {key!r} is there twice")
        value = value.strip()
        if value and not value.startswith("&"):
            open_maps[-1][key] = value
        else:
            open_maps[-1][key] = {}
            open_maps.append(open_maps[-1][key])
    return root


def services() -> dict[str, Any]:
    found: dict[str, Any] = read_maps((DOCKER / "compose.yml").read_text())["services"]
    return found


def test_compose_has_the_services_and_volumes_that_it_says() -> None:
    compose = read_maps((DOCKER / "compose.yml").read_text())
    assert set(compose["services"]) == {"migrate", "api", "worker", "postgres", "redis"}
    assert set(compose["volumes"]) == {"api-state", "postgres-data", "redis-data"}


def test_nothing_starts_before_the_migration_and_what_it_needs() -> None:
    for name in ("api", "worker"):
        needs = services()[name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}
        assert needs["redis"] == {"condition": "service_healthy"}
    assert services()["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_what_others_wait_for_has_a_health_check() -> None:
    for name in ("api", "postgres", "redis"):
        assert "test" in services()[name]["healthcheck"]


def test_the_commands_are_those_of_the_packages() -> None:
    commands = {name: re.findall(r'"([^"]+)"', services()[name]["command"]) for name in ("migrate", "api", "worker")}
    assert commands == {
        "migrate": ["python", "-m", "migrations", "upgrade"],
        "api": ["python", "-m", "api"],
        "worker": ["python", "-m", "worker"],
    }
    for command in commands.values():
        assert (REPOSITORY / command[2] / "__main__.py").is_file()


def test_the_image_holds_every_package_and_runs_as_nobody_special() -> None:
    text = (DOCKER / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    packages = {file.parent.name for file in REPOSITORY.glob("*/__init__.py")} - {"benchmarks", "examples", "tests"}
    assert copied == packages
    assert re.search(r"^USER ewc$", text, re.MULTILINE)
    allowed = set(re.findall(r"^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert packages <= allowed


def test_no_password_is_written_down() -> None:
    for file in DOCKER.iterdir():
        assert not re.search(r"^ *POSTGRES_PASSWORD[=:] *[^\s$]", file.read_text(), re.MULTILINE), file.name
