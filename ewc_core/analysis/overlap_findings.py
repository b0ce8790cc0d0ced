"""What is said of two Fishers: their overlap by layer, between its chance level and its ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ewc_core.analysis.overlap import INDEPENDENT_SQUARES, overlap, shuffled_overlap
from ewc_core.layers import ALL_PARAMETERS, with_whole
from ewc_core.seeding import generator
from ewc_core.training.units import CurvePoint

Values = Mapping[str, float | None]
Named = Mapping[str, Tensor]


@dataclass(frozen=True)
class OverlapFindings:
    """`overall` and `layers` for a body; `series` by name and group, of which the layers are drawn."""

    overall: dict[str, object]
    layers: dict[str, dict[str, object]]
    series: Mapping[str, Values]

    def curves(self) -> list[CurvePoint]:
        """Every series by depth; None is left out."""
        return [
            CurvePoint(method=name, name="fisher_overlap", step=depth, value=value)
            for name, values in self.series.items()
            for depth, layer in enumerate(self.layers)
            if (value := values[layer]) is not None
        ]


def overlap_findings(
    first: Named,
    second: Named,
    layers: Mapping[str, Sequence[str]],
    *,
    seed: int,
    halves: Mapping[str, tuple[Named, Named]] | None = None,
) -> OverlapFindings:
    """Overlap of two Fishers in each of `layers` and in all together; None where a Fisher is 0.

    Chance is the overlap with the second one shuffled within each layer. `halves` are the Fishers of two halves of each
    task's examples, whose overlap is the ceiling: what sampling alone takes from 1.

    Raises:
        ParameterMismatch: a parameter is missing or its shapes differ.
    """
    groups = with_whole({layer: list(names) for layer, names in layers.items()})
    measured = overlap(first, second, groups)
    shuffled = shuffled_overlap(first, second, layers, generator=generator(seed, "shuffle"), groups=groups)
    ceilings = {which: overlap(*pair, groups) for which, pair in (halves or {}).items()}
    rows = {group: _row(group, measured, shuffled, ceilings) for group in groups}
    series = {"overlap": measured, "shuffled": shuffled, **{f"ceiling_{which}": value for which, value in ceilings.items()}}
    return OverlapFindings(rows.pop(ALL_PARAMETERS), rows, series)


def _row(group: str, measured: Values, shuffled: Values, ceilings: Mapping[str, Values]) -> dict[str, object]:
    return {
        "overlap": measured[group],
        "chance": {"shuffled": shuffled[group], "independent_squares": INDEPENDENT_SQUARES},
        "ceiling": {which: values[group] for which, values in ceilings.items()},
    }
