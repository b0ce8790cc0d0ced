"""Environments of installed packages, and what their code does wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from pydantic import ValidationError

from ewc_core.errors import EnvironmentFailed, SpecError
from ewc_core.events import Evaluated, Event, Warned
from ewc_core.reinforcement.environments import installed
from ewc_core.reinforcement.environments.repeatable import is_repeatable
from ewc_core.reinforcement.games import frames_of
from ewc_core.reinforcement.run import run
from tests.ewc_core.reinforcement.environments import offered
from tests.ewc_core.reinforcement.environments.play import gymnasium_task, opened
from tests.ewc_core.reinforcement.jobs import job


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three packages as an installer would leave them: a good one, one that cannot be imported, one whose function raises."""
    before = dict(gymnasium.registry)
    monkeypatch.setattr(installed, "_loaded", {})
    (tmp_path / "raising_package.py").write_text("def register():\n    raise RuntimeError('no licence in /opt/secret/key')\n")
    (tmp_path / "at_import_package.py").write_text(
        f"import gymnasium\nfrom {offered.__name__} import Grid\ngymnasium.register('at_import/Grid-v0', entry_point=Grid)\n"
    )
    for package, target in (
        ("grid", f"{offered.__name__}:register"),
        ("absent", "a_package_that_is_not_there:register"),
        ("raising", "raising_package:register"),
        ("at_import", "at_import_package"),
        ("__root__", f"{offered.__name__}:register"),
    ):
        info = tmp_path / f"{package.strip('_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package.strip('_')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gymnasium.envs]\n{package} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("at_import_package", None)
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def _broken(what: str, **options: Any) -> Any:
    return gymnasium_task("grid/Broken-v0", options={"what": what, **options})


@pytest.mark.parametrize(
    "environment_id",
    ["grid/Grid-v0", "full/Other-v0", "at_import/Grid-v0", "Grid-v0", f"{offered.__name__}:Grid-v0"],
)
def test_an_id_of_an_installed_package_can_be_played(environment_id: str) -> None:
    group = opened(gymnasium_task(environment_id), 2)
    assert (group.frame_shape, group.num_actions) == ((3,), 2)
    assert group.reset().shape == (2, 3)


def test_an_id_that_was_there_keeps_its_meaning() -> None:
    opened(gymnasium_task("grid/Grid-v0"))
    assert opened(gymnasium_task("CartPole-v1")).frame_shape == (4,)
    assert opened(gymnasium_task("grid/CartPole-v1")).frame_shape == (3,)


def test_an_unknown_id_says_which_packages_could_not_be_loaded_and_why() -> None:
    with pytest.raises(EnvironmentFailed, match="gymnasium knows no environment 'raising/Thing-v0'") as caught:
        opened(gymnasium_task("raising/Thing-v0"))
    said = str(caught.value)
    assert "environments 'raising' of raising (raising_package:register) cannot be loaded: that raised RuntimeError" in said
    assert "RuntimeError: no licence in key (raising_package.py, line 2)" in said
    assert (
        "environments 'absent' of absent (a_package_that_is_not_there:register) cannot be loaded: that raised ModuleNotFound"
        in said
    )
    assert caught.value.field == "id"


def test_a_module_of_no_package_with_environments_is_never_imported() -> None:
    with pytest.raises(
        ValidationError, match=r"'antigravity:CartPole-v1' names a module to import, which only .*: a_package_that"
    ):
        gymnasium_task("antigravity:CartPole-v1")


@pytest.mark.parametrize(
    ("environment_id", "said"),
    [
        ("grid/Missing-v0", "needs a package that is not installed: No module named 'a_package_that_is_not_there'"),
        ("grid/Nothing-v0", "cannot be loaded: it raised AttributeError: module .* has no attribute 'NoSuchClass'"),
    ],
)
def test_an_environment_whose_code_is_not_there_is_named(environment_id: str, said: str) -> None:
    with pytest.raises(EnvironmentFailed, match=f"environment '{environment_id}' {said}"):
        opened(gymnasium_task(environment_id))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "make",
            r"cannot be opened with options .*: it raised KeyError: 'no such level in first\.json' \(offered\.py, line \d+\)$",
        ),
        ("reset", r"its reset\(seed=\d+\) raised ZeroDivisionError: no place to begin \(offered\.py, line \d+\)$"),
        ("reset_alone", r"its reset\(\) returned ndarray of float32 and shape \[3\], expected \(observation, info\)$"),
        ("step", r"its step\(0\) raised IndexError: off the grid \(offered\.py, line \d+\)$"),
        ("leaves", r"its step\(0\) raised SystemExit: 0 \(offered\.py, line \d+\)$"),
        ("four_values", r"its step\(\) returned tuple of 4, expected \(observation, reward, terminated, truncated, info\)$"),
        ("reward_nan", r"its step\(\) returned reward nan, expected a finite number$"),
        ("reward_text", r"its step\(\) returned reward '1\.0', expected a finite number$"),
        ("reward_array", r"its step\(\) returned reward array\(\[0\., 0\.\]\), expected a finite number$"),
        ("terminated_none", r"its step\(\) returned terminated None, expected True or False$"),
        ("truncated_text", r"its step\(\) returned truncated 'no', expected True or False$"),
        (
            "other_shape",
            r"its step\(\) returned as observation ndarray of float32 and shape \[4\], expected numbers of shape \[3\]",
        ),
        ("a_scalar", r"its step\(\) returned as observation float, expected numbers of shape \[3\]"),
        ("a_text", r"its step\(\) returned as observation str, expected numbers of shape \[3\]"),
        ("observation_nan", r"the observation of its step\(\) holds nan, expected finite numbers$"),
        ("fewer_actions", r"after reset\(\) its actions are Discrete\(1\), and were 2 before$"),
    ],
)
def test_what_an_environment_does_wrong_is_found_when_a_job_is_taken_up_and_is_its_own(what: str, said: str) -> None:
    with pytest.raises(EnvironmentFailed, match=rf"environment 'grid/Broken-v0'(:| ).*{said}") as caught:
        frames_of([gymnasium_task("grid/Grid-v0"), _broken(what)])
    assert caught.value.field.startswith("tasks.1.")


def test_all_environments_that_fail_are_told_at_once() -> None:
    with pytest.raises(
        EnvironmentFailed, match=r"^2 mistakes: tasks.0.id, tasks.2.id: .* returned reward nan.*; tasks.1.id: .* raised Index"
    ):
        frames_of([_broken("reward_nan"), _broken("step"), _broken("reward_nan")])


def test_a_fault_that_shows_later_is_the_environments_too_in_steps_and_when_an_episode_is_played_again() -> None:
    group = opened(_broken("step", after=3), 1)
    group.reset()
    for _ in range(3):
        group.step(np.zeros(1, dtype=np.int64))
    with pytest.raises(EnvironmentFailed, match=r"step\(0\) raised IndexError"):
        group.step(np.zeros(1, dtype=np.int64))
    with pytest.raises(EnvironmentFailed, match=r"step\(0\) raised IndexError"):
        opened(_broken("step", after=2), 1).restore(group.capture())


@pytest.mark.parametrize(
    ("what", "said"),
    [("render", r"its render\(\) raised OSError: no display"), ("render_nothing", "expected a picture")],
)
def test_a_picture_that_cannot_be_drawn_is_the_environments(what: str, said: str) -> None:
    group = opened(_broken(what))
    group.reset()
    with pytest.raises(EnvironmentFailed, match=said):
        group.render()


def test_options_that_an_environment_does_not_take_are_the_specs_fault() -> None:
    with pytest.raises(SpecError, match="unexpected keyword argument 'size'") as caught:
        opened(gymnasium_task("grid/Grid-v0", options={"size": 3}))
    assert (type(caught.value), caught.value.field) == (SpecError, "options")


@pytest.mark.parametrize(("what", "expected"), [("nothing", True), ("noise", False)])
def test_an_environment_is_repeatable_if_its_episodes_follow_from_seeds_and_actions(what: str, expected: bool) -> None:
    assert is_repeatable(_broken(what)) is expected


@pytest.mark.parametrize(("what", "codes"), [("nothing", []), ("noise", ["environment_not_repeatable"])])
def test_a_job_says_once_that_its_environment_is_not_repeatable(what: str, codes: list[str]) -> None:
    spec = job(tasks=[_broken(what).model_dump()], visits=(0, 0), num_steps=8, controls=[])
    assert [event.code for event in run(spec) if isinstance(event, Warned)] == codes


def test_an_environment_that_cannot_be_closed_fails_no_job_and_is_said_once() -> None:
    def told(what: str) -> tuple[list[Event], list[Warned]]:
        events = list(run(job(tasks=[_broken(what).model_dump()], visits=(0, 0), num_steps=8, controls=["naive"])))
        return [it for it in events if isinstance(it, Evaluated)], [it for it in events if isinstance(it, Warned)]

    (expected, _), (played, (warning,)) = told("nothing"), told("close")
    assert [event.scores for event in played] == [event.scores for event in expected]
    assert warning.code == "environment_not_closed"
    assert re.match(
        r"environment 'grid/Broken-v0': its close\(\) raised OSError: cannot close \(offered\.py, line \d+\); nothing that was "
        "played is lost",
        warning.message,
    )
