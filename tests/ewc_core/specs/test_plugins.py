"""Options for code of users: any JSON object, so no number that JSON does not have."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.specs import GymnasiumTask, PluginDataset, PluginNetworkSpec

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
