"""What one rule's theory and simulation say, as a part of a result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ewc_core.association.closed_forms import ewc_first_pattern_snr, gd_first_pattern_snr
from ewc_core.association.landmarks import blackout_at, falls_below_at, first_lost_at, log_log_slope
from ewc_core.association.moments import MemoryEstimate
from ewc_core.association.schedule import CHECK_TIMES, SLOPE_TIMES
from ewc_core.association.theory import TheoryCurves
from ewc_core.specs import AssociationRule, EwcRule, GradientDescentRule
from ewc_core.specs.association import rule_title
from ewc_core.training.units import CurvePoint


@dataclass(frozen=True)
class RuleFindings:
    """Exact curves at every time beside estimates from `num_repeats` repeats at `times`."""

    rule: AssociationRule
    theory: TheoryCurves
    simulated: MemoryEstimate
    times: Sequence[int]
    num_synapses: int
    num_repeats: int

    @property
    def title(self) -> str:
        return rule_title(self.rule)

    def curves(self) -> list[CurvePoint]:
        """Points at `times`: simulated, exact (`_theory`), and the paper's closed form (`_approximation`) where there is
        one. An SNR of overlaps that did not vary is no number, and is left out."""
        values = [(name, t, value) for row, t in enumerate(self.times) for name, value in self._values(row, t)]
        return [CurvePoint(self.title, name, t, value) for name, t, value in values if math.isfinite(value)]

    def summary(self) -> dict[str, Any]:
        """Landmarks and capacity from the exact curves, and how far the simulation is from them."""
        fraction, capacity = self.theory.fraction_retained, self.num_synapses
        summary: dict[str, Any] = {
            "kind": self.rule.kind,
            "landmarks": {"first_lost_at": first_lost_at(fraction), "blackout_at": blackout_at(fraction)},
            "fraction_retained_at_capacity": _at_capacity(fraction.tolist(), capacity),
            "first_pattern_snr_slopes": [
                {"from": start, "to": stop, "theory": log_log_slope(self.theory.first_pattern_snr, start, stop)}
                for start, stop in SLOPE_TIMES
                if stop <= len(fraction)
            ],
            "first_pattern_snr_checks": [self._snr_check(t) for t in self._check_times()],
        }
        if (norms := self.theory.weight_norm) is not None:
            summary["weight_norm_checks"] = [self._norm_check(t, float(norms[t - 1])) for t in self._check_times()]
        return summary

    def _values(self, row: int, t: int) -> Iterator[tuple[str, float]]:
        yield "first_pattern_snr", float(self.simulated.first_pattern_snr[row])
        yield "first_pattern_snr_theory", float(self.theory.first_pattern_snr[t - 1])
        yield "fraction_retained", float(self.simulated.fraction_retained[row])
        yield "fraction_retained_theory", float(self.theory.fraction_retained[t - 1])
        if self.theory.weight_norm is not None:
            yield "weight_norm", float(self.simulated.weight_norm[row])
            yield "weight_norm_theory", float(self.theory.weight_norm[t - 1])
        if isinstance(self.rule, GradientDescentRule):
            rate = 1.0 if self.rule.rate is None else self.rule.rate
            yield "first_pattern_snr_approximation", gd_first_pattern_snr(t, num_synapses=self.num_synapses, rate=rate)
        if isinstance(self.rule, EwcRule):
            yield "first_pattern_snr_approximation", ewc_first_pattern_snr(t, num_synapses=self.num_synapses)

    def _check_times(self) -> list[int]:
        return [t for t in CHECK_TIMES if t <= len(self.theory.fraction_retained)]

    def _norm_check(self, t: int, exact: float) -> dict[str, Any]:
        row = self.times.index(t)
        return _check(t, float(self.simulated.weight_norm[row]), float(self.simulated.weight_norm_error[row]), exact)

    def _snr_check(self, t: int) -> dict[str, Any]:
        """The error is that of an SNR estimated from normal overlaps, √((1 + SNR²/2)/R)."""
        exact = float(self.theory.first_pattern_snr[t - 1])
        error = math.sqrt((1.0 + exact * exact / 2.0) / self.num_repeats)
        return _check(t, float(self.simulated.first_pattern_snr[self.times.index(t)]), error, exact)


def ewc_falls_below(findings: Sequence[RuleFindings]) -> dict[str, int | None]:
    """For each other rule, when EWC's exact fraction retained first is below that rule's; empty without EWC."""
    ewc = next((found for found in findings if isinstance(found.rule, EwcRule)), None)
    if ewc is None:
        return {}
    fraction = ewc.theory.fraction_retained
    others = [found for found in findings if found is not ewc]
    return {found.title: falls_below_at(fraction, found.theory.fraction_retained) for found in others}


def _at_capacity(fraction_retained: list[float], capacity: int) -> float | None:
    return fraction_retained[capacity - 1] if capacity <= len(fraction_retained) else None


def _check(t: int, simulated: float, error: float, theory: float) -> dict[str, Any]:
    distance = abs(simulated - theory) / error if error > 0.0 else math.nan
    numbers = {"simulated": simulated, "standard_error": error, "theory": theory, "num_standard_errors": distance}
    return {"t": t, **{name: value if math.isfinite(value) else None for name, value in numbers.items()}}
