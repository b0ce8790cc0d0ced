"""What installed packages offer, and options for code of users: any JSON object, so no number that JSON does not have."""

from __future__ import annotations

import importlib.metadata
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.specs import GymnasiumTask, PluginDataset, PluginNetworkSpec, ReinforcementSpec, plugins
from ewc_core.specs.environments import ENVIRONMENT_PLUGINS
from ewc_core.specs.plugins import installed_plugins, plugin_packages

KINDS = [
    (PluginNetworkSpec, {"kind": "plugin", "name": "any"}),
    (PluginDataset, {"name": "any"}),
    (GymnasiumTask, {"kind": "gymnasium", "id": "any/Thing-v0"}),
]


@pytest.mark.parametrize(("spec", "fields"), KINDS)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"x": math.inf}, "x is inf"),
        ({"x": -math.inf}, "x is -inf"),
        ({"x": [0, {"y": (1.0, math.nan)}]}, r"x\.1\.y\.1 is nan"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_wherever_it_is(
    spec: Any, fields: dict[str, Any], options: Any, said: str
) -> None:
    with pytest.raises(ValidationError, match=f"{said}; a number in the options must be finite"):
        spec(**fields, options=options)


@pytest.mark.parametrize(("spec", "fields"), KINDS)
def test_other_values_are_kept_as_they_are(spec: Any, fields: dict[str, Any]) -> None:
    options = {"x": [1e308, -0.0, 2**60, None, True, "text"], "y": {"z": []}}
    assert spec(**fields, options=options).options == options


def _install(folder: Path, package: str) -> Path:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENVIRONMENT_PLUGINS}]\n{package} = {package}.games:register\n")
    return info


def test_a_spec_of_a_thousand_games_looks_once_for_what_packages_offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def look(*, group: str) -> importlib.metadata.EntryPoints:
        looks.append(group)
        return importlib.metadata.entry_points(group=group)

    _install(tmp_path, "many_games")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", look)
    ids = ["CartPole-v1", "many_games.games:Maze-v0"]
    spec = ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [8]},
            "agent": {"preset": "small"},
            "method": {"kind": "ewc", "ewc_lambda": 1.0},
            "tasks": [{"kind": "gymnasium", "id": ids[index % 2], "permutation": index} for index in range(1000)],
            "schedule": {"kind": "rounds", "num_rounds": 1, "num_steps": 10},
        }
    )
    assert len(spec.tasks) == 1000
    assert looks == [ENVIRONMENT_PLUGINS]


def test_packages_that_come_and_go_while_the_process_runs_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "not_yet_there"
    monkeypatch.syspath_prepend(str(folder))
    assert "late_games" not in installed_plugins(ENVIRONMENT_PLUGINS)
    info = _install(folder, "late_games")
    assert "late_games" in installed_plugins(ENVIRONMENT_PLUGINS)
    assert "late_games" in plugin_packages(ENVIRONMENT_PLUGINS)
    shutil.rmtree(info)
    assert "late_games" not in installed_plugins(ENVIRONMENT_PLUGINS)
