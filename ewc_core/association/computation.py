"""The association experiment in units: rule by rule, its theory and then its repeats, a batch a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from ewc_core.association.cascade import cascade_chain, cascade_theory
from ewc_core.association.cascade_simulation import simulate_cascade
from ewc_core.association.findings import RuleFindings, ewc_falls_below
from ewc_core.association.moments import MemoryEstimate, OverlapSums, estimate
from ewc_core.association.patterns import Patterns, draw_patterns
from ewc_core.association.rates import learning_rates
from ewc_core.association.schedule import record_times, repeat_batches
from ewc_core.association.simulation import simulate_readout
from ewc_core.association.theory import TheoryCurves, readout_theory
from ewc_core.errors import StateFormatError
from ewc_core.specs import AssociationRule, AssociationSpec, CascadeRule
from ewc_core.training.units import Findings

_FLOAT64 = torch.float64


class AssociationComputation:
    """How long each rule of a spec remembers random patterns: a `Computation`.

    Units: for every rule its theory, then its batches of repeats. State: of finished rules their estimates, of the
    current one running sums (float64). Theory is not state: it is computed again where it is missing. Batches follow
    from the spec, so a run that was captured and restored gives the same bits.
    """

    def __init__(self, spec: AssociationSpec) -> None:
        self.spec = spec
        self.times = record_times(num_synapses=spec.num_synapses, num_patterns=spec.num_patterns)
        self.batches = repeat_batches(
            num_synapses=spec.num_synapses, num_patterns=spec.num_patterns, num_repeats=spec.num_repeats
        )
        self.num_steps = len(spec.rules) * (1 + len(self.batches))
        self._theories: dict[int, TheoryCurves] = {}
        self._estimates: list[MemoryEstimate] = []
        self._sums = self._zero()

    def do(self, step: int) -> None:
        """The theory of a rule, or a batch of its repeats."""
        index, unit = divmod(step, 1 + len(self.batches))
        if unit == 0:
            self._theory(index)
        else:
            self._add_batch(self.spec.rules[index], self.batches[unit - 1])
        if unit == len(self.batches):
            self._estimates.append(estimate(self._sums, num_repeats=self.spec.num_repeats, times=self.times))
            self._sums = self._zero()

    def state(self, step: int) -> dict[str, Tensor]:
        """Copies of the estimates of finished rules and, within a rule's batches, of its sums."""
        return {name: getattr(owner, field).clone() for name, (owner, field) in self._owners(step).items()}

    def load_state(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on after `step` units from what `state` gave then.

        Raises:
            StateFormatError: names, shapes or dtypes are not those of the state after `step` units.
        """
        loaded = AssociationComputation(self.spec)
        loaded._estimates = [loaded._blank_estimate() for _ in range(step // (1 + len(self.batches)))]
        owners = loaded._owners(step)
        if set(tensors) != set(owners):
            raise StateFormatError(f"association state at step {step} has {sorted(tensors)}, expected {sorted(owners)}")
        for name, (owner, field) in owners.items():
            _copy(name, tensors[name], into=getattr(owner, field))
        self._estimates, self._sums = loaded._estimates, loaded._sums

    def findings(self) -> Findings:
        """Curves at the recorded times, and per rule its landmarks and checks."""
        findings = [self._findings(index, rule) for index, rule in enumerate(self.spec.rules)]
        body: dict[str, Any] = {
            "num_synapses": self.spec.num_synapses,
            "num_patterns": self.spec.num_patterns,
            "num_repeats": self.spec.num_repeats,
            "unit": {"num_repeats": len(self.batches[0]), "num_bytes": self.unit_bytes},
            "rules": {found.title: found.summary() for found in findings},
            "ewc_falls_below_at": ewc_falls_below(findings),
        }
        return Findings(body=body, curves=[point for found in findings for point in found.curves()])

    def _theory(self, index: int) -> TheoryCurves:
        if index not in self._theories:
            self._theories[index] = _theory(self.spec.rules[index], self.spec)
        return self._theories[index]

    def _add_batch(self, rule: AssociationRule, repeats: range) -> None:
        spec = self.spec
        patterns = draw_patterns(spec.seed, repeats, num_synapses=spec.num_synapses, num_patterns=spec.num_patterns)
        self._sums.add(patterns, _simulate(rule, spec, patterns, repeats, self.times), self.times)

    def _findings(self, index: int, rule: AssociationRule) -> RuleFindings:
        return RuleFindings(
            rule=rule,
            theory=self._theory(index),
            simulated=self._estimates[index],
            times=self.times,
            num_synapses=self.spec.num_synapses,
            num_repeats=self.spec.num_repeats,
        )

    def _owners(self, step: int) -> dict[str, tuple[object, str]]:
        """Where each tensor of the state after `step` units is, by its name."""
        owners: dict[str, OverlapSums | MemoryEstimate] = {f"rules.{i}": found for i, found in enumerate(self._estimates)}
        if step % (1 + len(self.batches)) > 1:
            owners["sums"] = self._sums
        return {f"{prefix}.{f.name}": (owner, f.name) for prefix, owner in owners.items() for f in fields(owner)}

    def _zero(self) -> OverlapSums:
        return OverlapSums.zero(len(self.times), self.spec.num_patterns)

    def _blank_estimate(self) -> MemoryEstimate:
        return MemoryEstimate(*(torch.empty(len(self.times), dtype=_FLOAT64) for _ in fields(MemoryEstimate)))

    @property
    def unit_bytes(self) -> int:
        """Bytes of a batch's patterns, its weights at the recorded times, and the running sums."""
        num_repeats, num_times = len(self.batches[0]), len(self.times)
        patterns = num_repeats * self.spec.num_patterns * (-(-self.spec.num_synapses // 8))
        return patterns + 4 * num_repeats * self.spec.num_synapses * num_times + 16 * num_times * self.spec.num_patterns


def _theory(rule: AssociationRule, spec: AssociationSpec) -> TheoryCurves:
    n, num_patterns = spec.num_synapses, spec.num_patterns
    if isinstance(rule, CascadeRule):
        return cascade_theory(cascade_chain(rule.num_levels), num_synapses=n, num_patterns=num_patterns)
    return readout_theory(learning_rates(rule, num_synapses=n, num_patterns=num_patterns), num_synapses=n)


def _simulate(rule: AssociationRule, spec: AssociationSpec, patterns: Patterns, repeats: range, times: list[int]) -> Tensor:
    if isinstance(rule, CascadeRule):
        return simulate_cascade(cascade_chain(rule.num_levels), patterns, times, seed=spec.seed, repeats=repeats)
    rates = learning_rates(rule, num_synapses=spec.num_synapses, num_patterns=spec.num_patterns)
    return simulate_readout(patterns, rates, times)


def _copy(name: str, tensor: Tensor, *, into: Tensor) -> None:
    if tensor.dtype != into.dtype or tensor.shape != into.shape:
        raise StateFormatError(
            f"association state: {name} is {tensor.dtype} {list(tensor.shape)}, expected {into.dtype} {list(into.shape)}"
        )
    into.copy_(tensor)
