"""Networks of installed packages, and what they must hold to."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ewc_core.errors import PluginFailed, SpecError
from ewc_core.networks import DropoutRates, build_network
from ewc_core.params import FlatParameters
from ewc_core.specs import PluginNetworkSpec, count_parameters
from ewc_core.specs.plugins import installed_plugins
from tests.ewc_core.networks import offered

NAMES = sorted(name for name in vars(offered) if name.islower() and not name.startswith("_"))
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes packages with entry points, as an installer would leave them."""

    def _install(package: str, entry_points: str) -> None:
        info = tmp_path / package / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ewc.networks]\n{entry_points}\n")
        monkeypatch.syspath_prepend(str(info.parent))

    return _install


@pytest.fixture
def _offered(install: Install) -> None:
    install("offered", "\n".join(f"{name} = {offered.__name__}:{name}" for name in NAMES))


def _build(name: str, seed: int = 0, **options: object) -> nn.Module:
    spec = PluginNetworkSpec(kind="plugin", name=name, options=options)
    return build_network(spec, input_shape=(2, 2), num_outputs=3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.usefixtures("_offered")
@pytest.mark.parametrize("name", ["plain", "tied", "frozen_batch_norm"])
def test_a_good_network_maps_inputs_to_outputs_and_its_parameters_can_be_flat(name: str) -> None:
    network = _build(name)
    assert network.training
    inputs = torch.rand(5, 2, 2, generator=torch.Generator().manual_seed(1))
    outputs = network(inputs)
    assert outputs.shape == (5, 3)
    flat = FlatParameters(network)
    assert torch.equal(network(inputs), outputs)
    network(inputs).sum().backward()
    assert flat.gradient.any()


@pytest.mark.usefixtures("_offered")
def test_initial_weights_follow_from_the_generator_and_the_global_one_is_left_alone() -> None:
    networks = []
    for global_seed, seed in ((1, 0), (2, 0), (2, 1)):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        networks.append(_build("plain", seed))
        assert torch.equal(torch.get_rng_state(), before)
    first, second, other = (list(network.parameters()) for network in networks)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.usefixtures("_offered")
def test_a_tied_weight_stays_tied() -> None:
    network = _build("tied")
    flat = FlatParameters(network)
    assert "again.weight" not in flat.layout.names
    flat.values.mul_(2.0)
    weights = network.state_dict()
    assert torch.equal(weights["inner.weight"], weights["again.weight"])


@pytest.mark.usefixtures("_offered")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_network", r"returned function, expected a torch\.nn\.Module"),
        ("no_parameters", "Flatten has no parameters"),
        ("lazy", "'weight' has no size yet"),
        ("double", r"'head\.weight' is torch\.float64 on cpu, expected torch\.float32"),
        ("frozen", r"'head\.bias' requires no gradient; register a constant as a buffer"),
        ("huge", "has 1000000015 parameters; at most 1000000000"),
        ("one_output_more", r"for inputs of shape \[3, 2, 2\] in train mode .*float32 of shape \[3, 4\], expected .* \[3, 3\]$"),
        ("another_width", r": for inputs of shape \[3, 2, 2\] .* \(3x4 and 5x3\)$"),
        ("double_outputs", r"returned torch\.float64"),
        ("a_pair", "returned tuple"),
        ("zero_over_zero", "NaN or infinity"),
        (
            "two_examples_only",
            r"for inputs of shape \[3, 2, 2\] in train mode its forward raised RuntimeError: .* \(offered\.py, line \d+\)$",
        ),
        ("batch_norm", r"changes its buffers 2\.num_batches_tracked, 2\.running_mean, 2\.running_var, .*GroupNorm or LayerNorm"),
        ("batch_norm_in_eval_mode", r"running_mean.* stays in eval mode when train\(\) is called"),
        ("batch_statistics", "change with the other examples of the minibatch"),
        ("dropout", "draws from torch's global generator"),
        ("shared_memory", r"'again\.weight' and 'inner\.weight' share memory; .*use one nn\.Parameter under both names"),
        ("repeated_value", r"'head\.bias' of shape \[3\] repeats one value in memory"),
        ("always_the_same", "every call must make a new network"),
        ("other_randomness", "two calls with one seed gave different weights"),
        ("detached", "no gradient to its parameters"),
        ("no_backward", "its backward pass raised RuntimeError"),
        ("infinite_gradient", "gradient of its outputs is not finite"),
        ("counting", "in train mode its forward changes attribute 'calls' of the network from one pass"),
        ("squeezing", r"\[1, 2, 2\] in train mode .*of shape \[3\], expected .*\[1, 3\]; it drops dimensions of size 1: give"),
        ("own_generator", "in train mode its forward changes attribute 'generator' of module 'noise'"),
        ("own_numpy_generator", "in train mode its forward changes attribute 'generator' of module 'noise'"),
        ("own_python_generator", "in train mode its forward changes attribute 'generator' of module 'noise'"),
        ("numpys_generator", "in train mode it draws from numpy's global generator"),
        ("pythons_generator", "in train mode it draws from Python's global generator"),
        ("noise_in_eval_mode", "in eval mode its forward changes attribute 'generator' of module 'noise'"),
        ("system_noise", "in train mode its outputs, or their gradients, differ from one pass over the same inputs"),
        ("noisy_gradient", "in train mode its outputs, or their gradients, differ from one pass over the same inputs"),
        ("counting_silently", r"in train mode its forward changes attribute 'calls' of module 'noise', attribute 'seen'"),
        ("counting_in_a_global", "in train mode its forward changes global '_counts' of offered"),
        ("counting_in_its_class", "in train mode its forward changes attribute 'calls' of class 'CountingInItsClass'"),
        ("counting_in_a_closure", "'count', which .*forward closes over, from one pass"),
        ("counting_in_a_default", "in train mode its forward changes attribute 'before' of the network"),
        ("counting_in_slots", "in train mode its forward changes attribute 'before' of the network"),
        ("counting_in_a_generator", "in train mode its forward changes attribute 'before' of the network"),
        ("counting_at_its_weight", "in train mode its forward changes what 'weight' of module 'head' has as attributes"),
        ("counting_in_a_hook", "in train mode its forward changes attribute '_forward_hooks' of the network"),
        ("scripted", "it returned a TopLevelTracedModule, expected the nn.Module that it was made from"),
        (
            "squeezed_by_a_hook",
            r"in train mode its forward returned torch\.float32 of shape \[3\], expected .*\[1, 3\]; it drops",
        ),
        ("failing_hook", r"a hook of it raised LookupError: not here \(offered\.py, line \d+\)$"),
        ("scaled_by_the_first_batch", "depend on what it was called with before"),
        ("scaled_by_its_first_weights", "on the weights that it had then"),
        ("a_mask_of_its_own", "a generator that no seed reaches"),
        (
            "changing_its_inputs",
            "in train mode its forward changes its inputs in place; other networks get the same ones, so copy",
        ),
        ("leaves", r"in train mode its forward raised SystemExit: 3 \(offered\.py"),
        ("is_cancelled", r"its forward raised CancelledError: by a library of its own \(offered\.py"),
        ("made_late", "its forward adds parameters: scale_0; make all of them when the network is made"),
        ("making_more", "its forward adds parameters: scale_0, scale_1"),
        (
            "needs_a_width",
            r"options {}, for inputs of shape \[2, 2\] and 3 outputs, raised KeyError: 'width' \(offered\.py, line \d+\)$",
        ),
    ],
)
def test_a_network_that_breaks_the_contract_is_refused_by_name(name: str, said: str) -> None:
    before = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()
    with pytest.raises(PluginFailed, match=f"plug-in network '{name}'.*{said}") as refused:
        _build(name)
    assert refused.value.field == "network"
    assert "/" not in str(refused.value)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (repr(np.random.get_state()), random.getstate()) == before[1:]


@pytest.mark.usefixtures("_offered")
@pytest.mark.parametrize("name", ["plain", "tied", "frozen_batch_norm", "caching", "same_noise_every_time"])
def test_a_good_network_is_let_through_and_a_cache_that_settles_is_no_memory(name: str) -> None:
    _build(name)


@pytest.mark.usefixtures("_offered")
def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(PluginFailed) as refused:
        _build("twice_wrong")
    assert re.search(
        r"2 mistakes: \(1\) .*'unused' is torch\.float64 .*; \(2\) .*'head\.bias' requires no gradient", str(refused.value)
    )
    with pytest.raises(PluginFailed) as refused:
        _build("noisy_twice")
    assert re.search(r"2 mistakes: \(1\) .*torch's global generator.*; \(2\) .*numpy's global generator", str(refused.value))


@pytest.mark.usefixtures("_offered")
def test_an_error_that_comes_later_is_the_plug_ins_with_its_own_line_and_no_folder() -> None:
    network = _build("fails_on_large_inputs")
    network(torch.ones(2, 2, 2))
    said = r"plug-in network 'fails_on_large_inputs': for inputs of shape \[2, 2, 2\] in train mode its forward raised "
    with pytest.raises(
        PluginFailed, match=said + r"OSError: neither 'weights\.bin' nor b\.bin \\x00 here \(offered\.py, line \d+\)$"
    ):
        network(torch.full((2, 2, 2), 9.0))


@pytest.mark.usefixtures("_offered")
def test_the_spec_keeps_its_options_whatever_the_plug_in_does_with_them() -> None:
    spec = PluginNetworkSpec(kind="plugin", name="changes_its_options", options={"sizes": [2]})
    build_network(spec, input_shape=(2, 2), num_outputs=3, generator=torch.Generator().manual_seed(0))
    assert spec.options == {"sizes": [2]}


@pytest.mark.usefixtures("_offered")
def test_no_dropout_is_put_into_a_plug_ins_network() -> None:
    spec = PluginNetworkSpec(kind="plugin", name="plain")
    with pytest.raises(SpecError, match="not into a plug-in's"):
        build_network(spec, input_shape=(2, 2), num_outputs=3, generator=torch.Generator(), dropout=DropoutRates(0.0, 0.5))


@pytest.mark.usefixtures("_offered")
def test_an_unknown_name_is_refused_with_the_names_that_are_installed() -> None:
    assert set(NAMES) <= set(installed_plugins("ewc.networks"))
    with pytest.raises(SpecError, match=r"no installed package has a plug-in 'absent'.*installed: .*plain, .*tied") as refused:
        _build("absent")
    assert refused.value.field == "network.name"


def test_a_package_that_cannot_be_imported_is_named(install: Install) -> None:
    install("damaged", "nowhere = not_a_module_of_anyone:network")
    with pytest.raises(
        SpecError, match=r"not_a_module_of_anyone:network of damaged.* cannot be loaded: importing it raised ModuleNotFoundError"
    ):
        _build("nowhere")


def test_a_name_that_two_packages_offer_is_refused(install: Install) -> None:
    install("first", f"twice = {offered.__name__}:plain")
    install("second", f"twice = {offered.__name__}:tied")
    with pytest.raises(SpecError, match=r"offered more than once: .*:plain of first, .*:tied of second") as refused:
        _build("twice")
    assert refused.value.field == "network.name"


def test_the_size_of_a_plug_ins_network_is_not_known_from_its_spec() -> None:
    spec = PluginNetworkSpec(kind="plugin", name="anything")
    assert count_parameters(spec, input_shape=(2, 2), num_outputs=3) is None
