"""Which parameters have a closed form in this network: decided from what a forward pass does, never from names.

A closed form is used for a layer that is called exactly once, on an input whose dimension 0 counts the examples, that
nobody hooks, and whose parameters enter the autograd graph nowhere else. Everything else takes the general method. The
same conditions are checked again on every chunk, because a network may branch on its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from ewc_core.errors import SpecError
from ewc_core.fisher.affine import ElementwiseForm, NormForm
from ewc_core.fisher.conv import ConvForm
from ewc_core.fisher.embedding import EmbeddingForm
from ewc_core.fisher.forms import LayerForm, Squares, WeightAndBias, weight_and_bias, wide
from ewc_core.fisher.independence import rows_agree
from ewc_core.fisher.linear import LinearForm
from ewc_core.fisher.recorded import part_name
from ewc_core.fisher.recurrent import Recurrent, RecurrentForm, is_recurrent, suffixes
from ewc_core.fisher.trace import Call, Graph

Calls = Mapping[str, Sequence[Call]]
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_NORMS = (*_BATCH_NORMS, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
_FORMS: dict[type[nn.Module], type] = {
    nn.Linear: LinearForm,
    nn.Conv1d: ConvForm,
    nn.Conv2d: ConvForm,
    nn.Conv3d: ConvForm,
    nn.Embedding: EmbeddingForm,
    **dict.fromkeys(_NORMS, NormForm),
}


@dataclass
class Plan:
    """Closed forms by module and by bare parameter, and the parameters left to the general method.

    A parameter in neither has not been seen in the graph: its Fisher is 0. Parameters only ever move to `general`.
    """

    modules: dict[str, nn.Module]
    layers: dict[str, LayerForm]
    elements: dict[str, ElementwiseForm] = field(default_factory=dict)
    general: set[str] = field(default_factory=set)

    def update(self, calls: Calls, graph: Graph, num_examples: int) -> None:
        """Leave to the general method what this forward pass of `num_examples` examples shows to need it."""
        for module_name, form in list(self.layers.items()):
            if graph.hides_parts or not _fits(form, calls[module_name], graph, num_examples):
                self.generalise(module_name, graph)
        for name, element in list(self.elements.items()):
            uses = graph.uses[name]
            if graph.hides_parts or (uses and not (len(uses) == 1 and element.fits(uses[0], num_examples))):
                del self.elements[name]
                self.general.add(name)
        covered = {name for form in self.layers.values() for name in form.parameter_names}
        self.general.update(
            name for name, uses in graph.uses.items() if uses and name not in covered and name not in self.elements
        )

    def compare(self, few: Calls, more: Calls, graph: Graph) -> None:
        """Leave to the general method layers whose rows the two `COMPANIES` show not to be examples; `graph` is of `more`."""
        for name in list(self.layers):
            both = zip(few[name], more[name], strict=False)  # a network that branches may call a layer in one of them only
            if not all(rows_agree(one.inputs, other.inputs) for one, other in both):
                self.generalise(name, graph)

    def squares(self, calls: Calls, graph: Graph, num_grad_outputs: int) -> list[tuple[GradientEdge, Squares]]:
        """For every closed form that this pass used: where to ask for δ, and what to do with it. After `update`."""
        found = [
            (call.output_edge, form.squares(replace(call, inputs=wide(call.inputs)), num_grad_outputs))
            for name, form in self.layers.items()
            for call in calls[name]
            if call.output_edge.node in graph.nodes
        ]
        uses = ((element, use) for name, element in self.elements.items() for use in graph.uses[name])
        return found + [(use.output_edge(), element.squares(use)) for element, use in uses]

    def keep(self, kind: type[LayerForm]) -> None:
        """Use no closed form but those of layers of one kind; before any forward pass."""
        self.layers = {name: form for name, form in self.layers.items() if isinstance(form, kind)}
        self.elements = {}

    def generalise(self, module_name: str, graph: Graph) -> None:
        """Leave a layer's parameters to the general method."""
        form = self.layers.pop(module_name)
        self.general.update(name for name in form.parameter_names if graph.uses[name] or graph.hides_parts)

    def numbers_per_example(self, calls: Calls, num_grad_outputs: int) -> int:
        """What the squares of one chunk hold per example, for the memory bound."""
        return sum(form.numbers_per_example(call, num_grad_outputs) for name, form in self.layers.items() for call in calls[name])


def make_plan(network: nn.Module, leaves: Mapping[str, Tensor]) -> Plan:
    """Every closed form that the modules' types allow, before any forward pass; `leaves` are the wanted parameters.

    Raises:
        SpecError: a BatchNorm without running statistics, which mixes examples even in eval mode; or a scripted network.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise SpecError(
            "the network is or has a scripted module, whose layers and parameters cannot be seen from outside; expected the "
            "nn.Module that it was made from",
            field="network",
        )
    modules: dict[str, nn.Module] = {}
    layers: dict[str, LayerForm] = {}
    wanted = frozenset(leaves)
    for name, module in network.named_modules():
        if isinstance(module, _BATCH_NORMS) and module.running_mean is None:
            raise SpecError(
                f"module {name!r} normalises over the minibatch also in eval mode (no running statistics), so that no "
                "example has a gradient of its own; expected running statistics",
                field="network",
            )
        if _is_altered(module):
            continue
        if isinstance(module, Recurrent) and is_recurrent(module):
            modules[name] = module
            layers.update(_recurrent_forms(name, module, wanted))
        names = weight_and_bias(name, dict(module._parameters), wanted)
        if type(module) in _FORMS and names.parameter_names:
            modules[name], layers[name] = module, _FORMS[type(module)](module, names)
    covered = {name for form in layers.values() for name in form.parameter_names}
    elements = {name: ElementwiseForm(name, tuple(leaf.shape)) for name, leaf in leaves.items() if name not in covered}
    return Plan(modules, layers, elements)


def _recurrent_forms(name: str, module: Recurrent, wanted: frozenset[str]) -> dict[str, LayerForm]:
    forms: dict[str, LayerForm] = {}
    for suffix in suffixes(module):
        inputs, states = (
            WeightAndBias(
                *(
                    path if (path := f"{name}.{kind}_{side}_{suffix}".lstrip(".")) in wanted else None
                    for kind in ("weight", "bias")
                )
            )
            for side in ("ih", "hh")
        )
        if inputs.parameter_names or states.parameter_names:
            forms[part_name(name, suffix)] = RecurrentForm(inputs, states)
    return forms


def _fits(form: LayerForm, calls: Sequence[Call], graph: Graph, num_examples: int) -> bool:
    uses = [len(graph.uses[name]) for name in form.parameter_names]
    if not any(uses):
        return True  # no gradient reaches it
    return (
        len(calls) == 1
        and set(uses) == {1}
        and calls[0].output_edge.node in graph.nodes
        and calls[0].input_is_intact()
        and form.fits(calls[0], num_examples)
    )


def _is_altered(module: nn.Module) -> bool:
    """Whether somebody has hooked the module or replaced its forward pass."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or "forward" in module.__dict__
