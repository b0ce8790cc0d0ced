"""Parameters by layer."""

from __future__ import annotations

from ewc_core.layers import ALL_PARAMETERS, by_layer, with_whole


def test_a_layer_is_the_name_without_its_last_component() -> None:
    names = ["body.0.weight", "body.0.bias", "scale", "body.2.weight"]
    groups = by_layer(names)
    assert groups == {"body.0": ["body.0.weight", "body.0.bias"], "scale": ["scale"], "body.2": ["body.2.weight"]}
    assert with_whole(groups)[ALL_PARAMETERS] == names
    assert list(with_whole(groups))[:3] == list(groups)
