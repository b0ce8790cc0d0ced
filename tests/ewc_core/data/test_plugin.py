"""Data sources of installed packages."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ewc_core.data import DataSource, Sources
from ewc_core.data.plugin import load_plugin_source
from ewc_core.errors import DatasetUnavailable, PluginFailed, SpecError
from ewc_core.specs import LikelihoodName, PlainTask, PluginDataset
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.plugins import installed_plugins
from tests.ewc_core.data.arrays_of import train_and_test
from tests.ewc_core.data.conftest import Install

_EXAMPLE = Path(__file__).parents[3] / "examples" / "plugin"
_kept = train_and_test()
_calls: list[Any] = []


def as_mapping(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**train_and_test(), "train_inputs": torch.full((6, 2), float(options.get("value", 0.0)))}


def as_object(options: Mapping[str, Any]) -> SimpleNamespace:
    targets = np.linspace(0.0, 1.0, 6)
    return SimpleNamespace(**train_and_test(train_targets=targets, test_targets=targets[:3]), likelihood="gaussian")


def keeps_its_arrays(options: dict[str, Any]) -> dict[str, Any]:
    _calls.append(options)
    options.clear()
    return _kept


def with_a_gradient(options: Mapping[str, Any]) -> dict[str, Any]:
    return train_and_test(train_inputs=torch.ones(6, 2, requires_grad=True) * 2.0)


def without_test_set(options: Mapping[str, Any]) -> dict[str, Any]:
    return train_and_test(test_inputs=None, test_targets=None)


def with_a_bad_label(options: Mapping[str, Any]) -> dict[str, Any]:
    return train_and_test(test_targets=np.array([0, 1, -2]))


def with_a_strange_likelihood(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**train_and_test(), "likelihood": "poisson"}


def with_a_misspelt_name(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**train_and_test(), "likelyhood": "gaussian"}


def that_raises(options: Mapping[str, Any]) -> dict[str, Any]:
    raise KeyError("angle")


def that_leaves(options: Mapping[str, Any]) -> dict[str, Any]:
    sys.exit(0)


def that_raises_when_asked(options: Mapping[str, Any]) -> Any:
    class Asked:
        @property
        def train_targets(self) -> Any:
            raise OSError("no /srv/hidden/labels.csv")

    return Asked()


def with_noise(options: Mapping[str, Any]) -> dict[str, Any]:
    return train_and_test(train_inputs=torch.rand(6, 2))


def with_numpys_noise(options: Mapping[str, Any]) -> dict[str, Any]:
    return train_and_test(test_inputs=np.random.rand(3, 2))  # the wrong generator is the point


def other_every_time(options: Mapping[str, Any]) -> dict[str, Any]:
    _calls.append(options)
    return train_and_test(train_targets=np.roll(np.array([0, 1, 2, 0, 1, 2]), len(_calls)))


def _load(install: Install, target: str, **options: Any) -> DataSource:
    install({"own": target if ":" in target else f"{__name__}:{target}"})
    return load_plugin_source(PluginDataset(name="own", options=options))


def test_a_mapping_of_arrays_or_tensors_is_a_data_source(install: Install) -> None:
    source = _load(install, "as_mapping", value=2.5)
    assert source.train_inputs.tolist() == [[2.5, 2.5]] * 6
    assert source.test_targets.tolist() == [2, 1, 0]
    assert (source.likelihood, source.num_outputs) == (LikelihoodName.CATEGORICAL, 3)


def test_an_object_with_attributes_is_one_too_and_may_name_its_likelihood(install: Install) -> None:
    source = _load(install, "as_object")
    assert (source.likelihood, source.train_targets.shape) == (LikelihoodName.GAUSSIAN, (6, 1))


def test_neither_the_arrays_of_a_plug_in_nor_the_spec_are_shared_with_it(install: Install) -> None:
    install({"own": f"{__name__}:keeps_its_arrays"})
    dataset = PluginDataset(name="own", options={"deep": [1]})
    source = load_plugin_source(dataset)
    before = source.train_inputs.clone()
    _kept["train_inputs"] += 1.0
    assert torch.equal(source.train_inputs, before)
    assert dataset.options == {"deep": [1]}


def test_gradients_are_left_behind(install: Install) -> None:
    source = _load(install, "with_a_gradient")
    assert not source.train_inputs.requires_grad
    assert source.train_inputs.tolist() == [[2.0, 2.0]] * 6


def test_one_data_set_is_made_once_for_each_set_of_options(install: Install) -> None:
    install({"own": f"{__name__}:keeps_its_arrays"})
    sources, before = Sources(None), len(_calls)
    for value in (1, 2, 1):
        sources.task(PlainTask(kind="plain", dataset=PluginDataset(name="own", options={"value": value})))
    assert len(_calls) - before == 4, "twice each, to see that it gives the same again"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("without_test_set", "returned dict without test_inputs, test_targets"),
        ("with_a_bad_label", "labels from -2 to 2 found"),
        ("with_a_strange_likelihood", "returned likelihood 'poisson', expected one of 'categorical', 'bernoulli', 'gaussian'"),
        ("with_a_misspelt_name", "returned unknown 'likelyhood'; expected train_inputs, .*, and likelihood if it is not"),
        ("that_raises", r"raised KeyError: 'angle' \(test_plugin\.py, line \d+\)"),
        ("that_leaves", r"raised SystemExit: 0 \(test_plugin\.py, line \d+\)"),
        ("that_raises_when_asked", r"raised OSError: no labels\.csv \(test_plugin\.py, line \d+\)"),
        ("with_noise", "two calls gave different train_inputs;"),
        ("with_numpys_noise", "two calls gave different test_inputs;"),
        ("other_every_time", "two calls gave different train_targets;"),
        ("builtins:len", "raised|returned int without"),
        ("no_such_function", "cannot be loaded: importing it raised AttributeError"),
        ("no_such_module_at_all:source", "cannot be loaded: importing it raised ModuleNotFoundError"),
    ],
)
def test_what_breaks_the_contract_is_refused_by_name(install: Install, target: str, message: str) -> None:
    random_state = repr(np.random.get_state())
    with pytest.raises(PluginFailed, match=rf"'own'.*({message})") as error:
        _load(install, target, angle=1)
    assert repr(np.random.get_state()) == random_state
    assert error.value.field.startswith("dataset.")


def test_a_source_that_no_package_brings_is_unavailable(install: Install) -> None:
    install({"one": "a:b", "two": "a:b"})
    with pytest.raises(
        DatasetUnavailable, match=r"no installed package has a task source 'three'; installed: .*one, two"
    ) as error:
        load_plugin_source(PluginDataset(name="three"))
    assert error.value.field == "dataset.name"


def test_names_are_listed_without_importing_anything(install: Install) -> None:
    install({"broken": "no_such_module_at_all:source", "another": "neither:this"})
    assert {"another", "broken"} <= set(installed_plugins(TASK_SOURCE_PLUGINS))
    assert list(installed_plugins(TASK_SOURCE_PLUGINS)) == sorted(installed_plugins(TASK_SOURCE_PLUGINS))


@pytest.fixture
def example(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example package with the entry points that it declares."""
    declared = tomllib.loads((_EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"][TASK_SOURCE_PLUGINS]
    monkeypatch.syspath_prepend(str(_EXAMPLE))
    install({f"example_{name}": target for name, target in declared.items()})


def _moons(**options: Any) -> DataSource:
    return load_plugin_source(PluginDataset(name="example_moons", options=options))


@pytest.mark.usefixtures("example")
def test_the_example_turns_the_same_points_by_the_angle_of_the_task() -> None:
    plain, turned = _moons(), _moons(angle=90.0)
    torch.testing.assert_close(turned.train_inputs, torch.stack([-plain.train_inputs[:, 1], plain.train_inputs[:, 0]], dim=1))
    assert torch.equal(turned.test_targets, plain.test_targets)
    assert torch.equal(_moons(angle=90.0).train_inputs, turned.train_inputs)
    assert not torch.equal(_moons(seed=1).train_inputs, plain.train_inputs)
    assert (len(plain.train_targets), len(plain.test_targets), plain.num_outputs) == (1000, 500, 2)


@pytest.mark.usefixtures("example")
def test_the_examples_classes_cannot_be_told_apart_by_a_line_but_by_their_neighbours() -> None:
    source = _moons(num_training_examples=400)
    inputs = torch.cat([source.train_inputs, torch.ones(400, 1)], dim=1)
    signs = source.train_targets.float() * 2 - 1
    line = torch.linalg.lstsq(inputs, signs[:, None]).solution
    tests = torch.cat([source.test_inputs, torch.ones(500, 1)], dim=1)
    by_line = ((tests @ line)[:, 0] > 0) == (source.test_targets == 1)
    nearest = torch.cdist(source.test_inputs, source.train_inputs).argmin(1)
    by_neighbour = source.train_targets[nearest] == source.test_targets
    assert by_line.float().mean() < 0.95
    assert by_neighbour.float().mean() > 0.98


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize(
    ("options", "message"), [({"angel": 30}, r"unknown options \['angel'\]"), ({"num_test_examples": 1}, "at least 2, got")]
)
def test_the_example_refuses_options_that_it_cannot_use(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=rf"'example_moons'.* raised ValueError: .*{message}") as error:
        _moons(**options)
    assert error.value.field == "dataset.options"
