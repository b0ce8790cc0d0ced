"""The example package: found by its entry points, checked by the core, and trained as its job spec says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn

from ewc_core.errors import SpecError
from ewc_core.events import Evaluated
from ewc_core.networks import build_network
from ewc_core.specs import PluginNetworkSpec, SupervisedSpec
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.network import NETWORK_PLUGINS
from ewc_core.specs.plugins import installed_plugins
from ewc_core.supervised import run

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin"


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as an installer leaves it: its modules on the path, and its entry points where they are looked for."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(PACKAGE))
    monkeypatch.syspath_prepend(str(tmp_path))


def _build(seed: int = 0, **options: object) -> nn.Module:
    spec = PluginNetworkSpec(kind="plugin", name="residual_mlp", options=options)
    return build_network(spec, input_shape=(3, 2), num_outputs=4, generator=torch.Generator().manual_seed(seed))


def test_its_network_is_found_and_meets_the_contract() -> None:
    assert "residual_mlp" in installed_plugins(NETWORK_PLUGINS)
    network = _build(width=8, num_blocks=3)
    assert network(torch.zeros(5, 3, 2)).shape == (5, 4)
    per_block = 2 * 8 + 2 * (8 * 8 + 8)
    assert sum(parameter.numel() for parameter in network.parameters()) == (6 * 8 + 8) + 3 * per_block + 2 * 8 + (8 * 4 + 4)


def test_its_blocks_add_to_what_they_read() -> None:
    network = _build(width=8, num_blocks=2)
    shallow = _build(width=8, num_blocks=2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("blocks"):
                parameter.zero_()
    inputs = torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(0))
    skipped = shallow.get_submodule("last")(shallow.get_submodule("first")(inputs.flatten(1)))
    assert torch.equal(network(inputs), skipped)
    assert not torch.equal(shallow(inputs), skipped)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"depth": 2}, r"ValueError: unknown options \['depth'\]; expected some of \['num_blocks', 'width'\]"),
        ({"width": 0}, "ValueError: width must be a whole number of at least 1, got 0"),
        ({"num_blocks": 1.5}, r"ValueError: num_blocks must be a whole number of at least 1, got 1\.5"),
    ],
)
def test_wrong_options_are_refused_in_its_own_words(options: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=f"plug-in network 'residual_mlp' with options .* raised {said}"):
        _build(**options)


def test_its_job_is_retained_by_ewc_and_forgotten_without() -> None:
    spec = SupervisedSpec.model_validate({**json.loads((PACKAGE / "job.json").read_bytes()), "controls": ["naive"]})
    last: dict[str, list[float]] = {}
    for event in run(spec):
        if isinstance(event, Evaluated):
            last[event.method] = list(event.scores.values())
    assert len(last["ewc"]) == len(spec.tasks) == 4
    assert min(last["ewc"]) > 0.95
    assert min(last["naive"]) < 0.75


def test_its_readme_names_what_the_service_looks_for() -> None:
    readme = (PACKAGE / "README.md").read_text()
    entry_points = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["entry-points"]
    assert set(entry_points) == {NETWORK_PLUGINS, TASK_SOURCE_PLUGINS}
    for group, entries in entry_points.items():
        assert group in readme
        assert entries
        for name, value in entries.items():
            assert f'{name} = "{value}"' in readme
