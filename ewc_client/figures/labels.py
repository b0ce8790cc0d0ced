"""What curves are called and coloured, from the specs of the jobs behind them."""

from __future__ import annotations

from ewc_client.matrix import Matrix
from ewc_client.models import Body

_NAMES = {
    "ewc": "EWC",
    "online_ewc": "online EWC",
    "l2": "L2",
    "si": "Synaptic Intelligence",
    "mas": "Memory Aware Synapses",
    "joint": "all tasks together",
    "oracle": "EWC, told the game",
    "shuffled_fisher": "EWC, Fisher shuffled",
    "independent": "one network per game",
}
_OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSProp"}
_COLOURS = {
    "ewc": "tab:red",
    "online_ewc": "tab:purple",
    "l2": "tab:green",
    "naive": "tab:blue",
    "dropout": "tab:orange",
    "si": "tab:brown",
    "mas": "tab:pink",
    "joint": "tab:gray",
    "oracle": "tab:brown",
    "shuffled_fisher": "tab:orange",
    "independent": "black",
}


def method_label(method: str, spec: Body) -> str:
    """A method or control of a job for a legend: plain training is called by its optimiser."""
    if "task_inference" in spec:
        if method == "ewc" and spec["task_inference"]["kind"] != "oracle":
            return "EWC, recognises the game"
        return "no penalty" if method == "naive" else _NAMES.get(method, method)
    optimiser = _OPTIMISERS[spec["training"]["optimiser"]]
    if method == "naive":
        return optimiser
    return f"{optimiser} + dropout" if method == "dropout" else _NAMES.get(method, method)


def colour(name: str) -> str:
    """The colour of a method or of an association rule, the same in every figure."""
    if name.startswith("gd"):
        return "tab:blue" if name == "gd" else "tab:cyan"
    if name.startswith("cascade"):
        return "tab:olive"
    return next((_COLOURS[kind] for kind in sorted(_COLOURS, key=len, reverse=True) if name.startswith(kind)), "black")


def rule_label(rule: Body) -> str:
    """A rule of an association job for a legend."""
    if rule["kind"] == "gd":
        return "gradient descent" if rule.get("rate") is None else f"gradient descent, rate {rule['rate']:g}"
    if rule["kind"] == "online_ewc":
        return f"online EWC, decay {rule['fisher_decay']:g}"
    return f"cascade, {rule['num_levels']} levels" if rule["kind"] == "cascade" else "EWC"


def rule_title(rule: Body) -> str:
    """The name under which the service keeps the curves of a rule."""
    if rule["kind"] == "gd":
        return "gd" if rule.get("rate") is None else f"gd_{rule['rate']:g}"
    if rule["kind"] == "online_ewc":
        return f"online_ewc_{rule['fisher_decay']:g}"
    return f"cascade_{rule['num_levels']}" if rule["kind"] == "cascade" else str(rule["kind"])


MEAN_RETURN = "mean return"
"""What scores are called when not every game has a reference: they are of another size in every game."""


def score_label(spec: Body, matrix: Matrix) -> str:
    """What the scores of a job are, with the examples that they are taken on."""
    if matrix.metric in (None, "normalised", "return"):
        return "score (0: random play, 1: reference player)" if matrix.metric == "normalised" else MEAN_RETURN
    return f"{spec['training']['evaluate_on']} {'R²' if matrix.metric == 'r2' else matrix.metric}"


def agent_note(spec: Body) -> str:
    """What a reinforcement job is, in one line."""
    method, network, agent = spec["method"], spec["network"], spec["agent"]
    strength = f" {method['ewc_lambda']:g}" if "ewc_lambda" in method else ""
    fisher = f", Fisher {method['fisher']['kind']}" if "fisher" in method else ""
    sizes = "-".join(str(size) for size in network.get("hidden_sizes", [])) or str(
        network.get("size", network.get("channels", ""))
    )
    return (
        f"{method['kind']}{strength}{fisher}; {network['kind']} {sizes}; {agent['optimiser']} {agent['learning_rate']:g}, "
        f"batch {agent['batch_size']}, every {agent['replay_period']} steps; tasks: {spec['task_inference']['kind']}; "
        f"seed {spec['seed']}"
    )


def training_note(part: str, spec: Body) -> str:
    """How a supervised job trains, in one line: what a reader must know to compare its curve with another."""
    training, method, network = spec["training"], dict(spec["method"]), spec["network"]
    sizes = "-".join(str(size) for size in [*network.get("channels", []), *network.get("hidden_sizes", [])])
    strength = next((f", {name} {method[name]:g}" for name in ("ewc_lambda", "strength") if name in method), "")
    return (
        f"{part}: {method['kind']}{strength}; {network['kind']} {sizes}; {training['optimiser']} {training['learning_rate']:g}, "
        f"batch {training['batch_size']}, {training['num_epochs']} epochs; seed {spec['seed']}"
    )
