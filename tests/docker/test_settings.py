"""The container files name the settings that exist, all of them, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from api.settings import ApiSettings
from store.settings import StoreSettings
from worker.settings import WorkerSettings

DOCKER = Path(__file__).parents[2] / "docker"
_NAME = re.compile(r"\bEWC_[A-Z_]+\b")


def fields() -> dict[str, FieldInfo]:
    """Every environment variable that a process of the service reads, with its field; old names too."""
    found: dict[str, FieldInfo] = {}
    for kind in (StoreSettings, ApiSettings, WorkerSettings):
        for name, field in kind.model_fields.items():
            aliases = field.validation_alias
            names = [str(one) for one in aliases.choices] if isinstance(aliases, AliasChoices) else [f"EWC_{name.upper()}"]
            found.update(dict.fromkeys(names, field))
    return found


def settings() -> set[str]:
    """The names alone."""
    return set(fields())


@pytest.mark.parametrize("name", ["compose.yml", "env.example", "Dockerfile"])
def test_every_variable_that_a_container_file_names_is_a_setting(name: str) -> None:
    assert set(_NAME.findall((DOCKER / name).read_text())) - settings() == set()


def test_the_example_environment_names_every_setting() -> None:
    assert settings() - set(_NAME.findall((DOCKER / "env.example").read_text())) == set()


def test_compose_gives_every_setting_that_is_not_fixed_by_the_image() -> None:
    named = set(_NAME.findall((DOCKER / "compose.yml").read_text()))
    assert settings() - named == {"EWC_STATE_DIR"}


def test_the_defaults_in_the_example_are_those_of_the_settings() -> None:
    example = dict(re.findall(r"^# (EWC_[A-Z_]+)=(.+)$", (DOCKER / "env.example").read_text(), re.MULTILINE))
    kinds = fields()
    numbers = {name: kinds[name].default for name in example if isinstance(kinds[name].default, int | float)}
    assert {name: float(example[name]) for name in numbers} == {name: float(value) for name, value in numbers.items()}
    assert len(numbers) >= 10


def test_every_variable_that_compose_interpolates_is_explained() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (DOCKER / "compose.yml").read_text()))
    assert {name for name in wanted if f"{name}=" not in (DOCKER / "env.example").read_text()} == set()


def test_the_readme_explains_every_setting_and_no_other() -> None:
    table = (DOCKER.parent / "README.md").read_text().split("## Settings")[1].split("## ")[0]
    assert set(_NAME.findall(table)) == settings() | {"EWC_URL", "EWC_API_KEY"}
